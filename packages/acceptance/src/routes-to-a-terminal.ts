import { eventually } from './eventually';
import type { Person } from './person';
import { TerminalClient } from './terminal-client';

/** One socket to a running session, by whichever route it comes at this moment. */
export async function connectAtOnce(person: Person, id: string): Promise<TerminalClient> {
  const { terminal } = await person.api.open(id);
  if (!terminal) throw new Error(`session ${id} gave no terminal`);
  return TerminalClient.connect(person.installation, terminal, { token: person.token });
}

/** Connects again until Traefik itself knows the session by its labels: it asks the Swarm every 10 s. */
export function connectByLabelRoute(person: Person, id: string): Promise<TerminalClient> {
  const look = async (): Promise<TerminalClient | null> => {
    const socket = await connectAtOnce(person, id);
    if (socket.route === 'label') return socket;
    socket.close();
    return null;
  };
  return eventually(`a socket to ${id} by Traefik's label route`, look, { withinMs: 40_000, everyMs: 500 });
}
