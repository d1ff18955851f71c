import { useState } from 'preact/hooks';

const KEY = 'vibe-first-use-read';

/** Storage may be shut off: then the notice comes again, which is better than never. */
function wasRead(): boolean {
  try {
    return localStorage.getItem(KEY) !== null;
  } catch {
    return false;
  }
}

function markRead(): void {
  try {
    localStorage.setItem(KEY, new Date().toISOString());
  } catch {
    // Shown again on the next visit.
  }
}

/** What everybody must know once before they keep work in a session; gone for good when it was confirmed. */
export function FirstUse({ onRead }: { readonly onRead?: () => void }) {
  const [isRead, setRead] = useState(wasRead);
  if (isRead) return null;
  const confirm = (): void => {
    markRead();
    setRead(true);
    onRead?.();
  };
  return (
    <section class="notice first-use" aria-labelledby="first-use-title">
      <h2 id="first-use-title">Your data lives only inside a session</h2>
      <p>There is no backup. When a session is deleted, expires or is lost with its machine, everything in it is gone for good. Copy out what matters: push it, upload it, send it somewhere else.</p>
      <button type="button" class="button" onClick={confirm}>I understand</button>
    </section>
  );
}
