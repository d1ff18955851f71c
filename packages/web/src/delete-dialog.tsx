import type { ApiSession } from '@vibe/contracts';
import { useEffect, useRef } from 'preact/hooks';

interface Props {
  readonly session: ApiSession;
  readonly onConfirm: () => void;
  readonly onCancel: () => void;
}

/** Asks before data is destroyed. Escape and the first button leave everything as it is. */
export function DeleteDialog({ session, onConfirm, onCancel }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  const holdsNothing = session.state === 'lost' || session.state === 'failed';
  return (
    <dialog ref={dialog} aria-labelledby="delete-title" aria-describedby="delete-text" onClose={onCancel}>
      <h2 id="delete-title">{holdsNothing ? `Remove “${session.name}” from the list?` : `Delete “${session.name}”?`}</h2>
      <p id="delete-text">
        {holdsNothing ? 'It holds no data any more. Only this entry goes.' : 'Everything in it is erased: files, history, installed programs, the stored snapshot. Nobody can bring it back. Copy out what matters first.'}
      </p>
      <div class="choice">
        <button type="button" class="button" onClick={() => dialog.current?.close()}>{holdsNothing ? 'Leave it' : 'Keep it'}</button>
        <button type="button" class="button danger" onClick={onConfirm}>{holdsNothing ? 'Remove' : 'Delete for good'}</button>
      </div>
    </dialog>
  );
}
