import { useEffect, useState } from 'preact/hooks';
import type { ServerClock } from './server-clock';

/** The service's time, renewed every second while the page is seen. */
export function useNow(clock: ServerClock): number {
  const [now, setNow] = useState(() => clock.now());
  useEffect(() => {
    const renew = (): void => {
      if (document.visibilityState === 'visible') setNow(clock.now());
    };
    const timer = setInterval(renew, 1_000);
    document.addEventListener('visibilitychange', renew);
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', renew);
    };
  }, [clock]);
  return now;
}
