/** Tries every port of every host at the same time; prints `host:port` for each that accepted, one a line. */
const SCANNER = `
import asyncio, json, sys
hosts, ports = json.loads(sys.argv[1]), json.loads(sys.argv[2])
gate = asyncio.Semaphore(100)
async def knock(host, port):
    async with gate:
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 2)
            writer.close()
            return f'{host}:{port}'
        except Exception:
            return None
async def main():
    found = await asyncio.gather(*(knock(host, port) for host in hosts for port in ports))
    print('\\n'.join(filter(None, found)))
asyncio.run(main())
`;

/** A command line that scans from inside a session, whose image has python3. Prints what is open, one a line. */
export function scanCommand(hosts: readonly string[], ports: readonly number[]): string {
  const script = Buffer.from(SCANNER).toString('base64');
  return `echo ${script} | base64 -d > /tmp/scan.py; python3 /tmp/scan.py '${JSON.stringify(hosts)}' '${JSON.stringify(ports)}'; rm /tmp/scan.py`;
}
