import type { ApiSession } from '@vibe/contracts';
import { useEffect, useRef, useState } from 'preact/hooks';
import { asFailure } from './api-client';
import { DeleteDialog } from './delete-dialog';
import { sentence, sessionLines, stateWords } from './session-text';

/** What a person may do with a session; each resolves when the service took it on. */
export interface CardActions {
  readonly rename: (session: ApiSession, name: string) => Promise<void>;
  readonly hibernate: (session: ApiSession) => Promise<void>;
  readonly remove: (session: ApiSession) => Promise<void>;
}

interface Props {
  readonly session: ApiSession;
  readonly now: number;
  readonly actions: CardActions;
}

const openWords: Readonly<Partial<Record<ApiSession['state'], string>>> = { creating: 'Open', running: 'Open', hibernating: 'Keep awake', hibernated: 'Wake and open', waking: 'Open' };

/** One session of the list. */
export function SessionCard({ session, now, actions }: Props) {
  const [mode, setMode] = useState<'calm' | 'renaming' | 'deleting'>('calm');
  const [isBusy, setBusy] = useState(false);
  const [wrong, setWrong] = useState('');
  const renameButton = useRef<HTMLButtonElement>(null);
  const { label, tone } = stateWords(session.state);
  const open = openWords[session.state];
  const address = `/terminal/${session.id}`;

  const run = async (work: Promise<void>): Promise<void> => {
    setBusy(true);
    setWrong('');
    try {
      await work;
    } catch (error) {
      setWrong(asFailure(error).message);
    }
    setBusy(false);
  };
  const endRename = (): void => {
    setMode('calm');
    requestAnimationFrame(() => renameButton.current?.focus());
  };

  return (
    <li class="card" data-session={session.id} data-state={session.state}>
      {mode === 'renaming' ? (
        <RenameForm name={session.name} onCancel={endRename} onSave={(name) => { endRename(); if (name !== session.name) void run(actions.rename(session, name)); }} />
      ) : (
        <h2>{open === undefined ? session.name : <a href={address}>{session.name}</a>}</h2>
      )}
      <span class={`state tone-${tone}`}>{label}</span>
      <div class={`lines tone-${tone}`}>
        {sessionLines(session, now).map((line, index) => <p key={index}>{line}</p>)}
      </div>
      {wrong !== '' && <p class="wrong" role="alert">{sentence(wrong)}</p>}
      {session.state !== 'deleting' && (
        <div class="actions">
          {open !== undefined && <a class="button primary" href={address} aria-label={`${open}: ${session.name}`}>{open}</a>}
          {session.state === 'running' && <button type="button" class="button" disabled={isBusy} onClick={() => void run(actions.hibernate(session))}>Sleep</button>}
          {open !== undefined && <button type="button" class="button quiet apart" ref={renameButton} disabled={isBusy || mode === 'renaming'} onClick={() => { setMode('renaming'); }}>Rename</button>}
          <button type="button" class={open === undefined ? 'button' : 'button quiet'} disabled={isBusy} onClick={() => { setMode('deleting'); }}>{open === undefined ? 'Remove' : 'Delete'}</button>
        </div>
      )}
      {mode === 'deleting' && <DeleteDialog session={session} onCancel={() => { setMode('calm'); }} onConfirm={() => { setMode('calm'); void run(actions.remove(session)); }} />}
    </li>
  );
}

function RenameForm({ name, onSave, onCancel }: { readonly name: string; readonly onSave: (name: string) => void; readonly onCancel: () => void }) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    input.current?.select();
  }, []);
  return (
    <form
      class="rename"
      onSubmit={(event) => {
        event.preventDefault();
        onSave(input.current?.value.trim() ?? name);
      }}
      onKeyDown={(event) => {
        if (event.key === 'Escape') onCancel();
      }}
    >
      <input class="input" ref={input} defaultValue={name} aria-label="New name" required maxLength={60} pattern=".*\S.*" title="A name needs at least one character" autocomplete="off" />
      <button type="submit" class="button primary">Save</button>
      <button type="button" class="button" onClick={onCancel}>Cancel</button>
    </form>
  );
}
