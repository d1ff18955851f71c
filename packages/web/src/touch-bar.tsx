import { touchKeys, type TouchKey } from './touch-keys';

interface Props {
  readonly isCtrlHeld: boolean;
  readonly onKey: (key: TouchKey) => void;
  readonly onCtrl: () => void;
}

/** A row of keys under the terminal; only where fingers point (terminal.css). */
export function TouchBar({ isCtrlHeld, onKey, onCtrl }: Props) {
  // Pressing must not take the focus, and with it the keyboard, from the terminal.
  const keepFocus = (event: Event): void => {
    event.preventDefault();
  };
  return (
    <div class="keys" role="toolbar" aria-label="More keys" onPointerDown={keepFocus} onMouseDown={keepFocus}>
      <button type="button" class="button" aria-pressed={isCtrlHeld} onClick={onCtrl}>Ctrl</button>
      {touchKeys.map((key) => <button type="button" class="button" key={key} onClick={() => { onKey(key); }}>{key}</button>)}
    </div>
  );
}
