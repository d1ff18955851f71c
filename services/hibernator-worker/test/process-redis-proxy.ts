import { once } from 'node:events';
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';

/** A way to Redis that can lose what Redis says, or be cut off. */
export class RedisProxy {
  private readonly pairs = new Set<{ readonly client: Socket; readonly redis: Socket }>();
  private losing: { readonly calls: RegExp; left: number; readonly done: () => void } | null = null;
  private server: Server | null = null;
  private port = 0;

  private constructor(private readonly redisPort: number) {}

  static async start(redisPort: number): Promise<RedisProxy> {
    const proxy = new RedisProxy(redisPort);
    await proxy.mend();
    return proxy;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /**
   * Redis does what the n-th call that matches (as it is on the wire) asks for; its answer is thrown away, and the connection is
   * cut. Returns whether that has happened.
   * @param options.whenLost called when the answer is thrown away, before anybody can notice it
   */
  loseReply(calls: RegExp, { n = 1, whenLost }: { n?: number; whenLost?: () => void } = {}): { isLost: boolean } {
    const outcome = { isLost: false };
    const done = () => {
      outcome.isLost = true;
      whenLost?.();
    };
    this.losing = { calls, left: n, done };
    return outcome;
  }

  /** Nobody gets through, and open connections are cut. */
  async cut(): Promise<void> {
    const ending = this.server;
    this.server = null;
    if (!ending) return;
    const closed = once(ending, 'close');
    ending.close();
    for (const { client, redis } of this.pairs) {
      client.destroy();
      redis.destroy();
    }
    await closed;
  }

  /** The way is open (again), under the same address. */
  async mend(): Promise<void> {
    this.server ??= createServer((client) => this.join(client)).listen(this.port, '127.0.0.1');
    if (!this.server.listening) await once(this.server, 'listening');
    this.port = (this.server.address() as AddressInfo).port;
  }

  private join(client: Socket): void {
    const redis = connect(this.redisPort, '127.0.0.1');
    const pair = { client, redis };
    this.pairs.add(pair);
    const end = () => {
      this.pairs.delete(pair);
      client.destroy();
      redis.destroy();
    };
    for (const socket of [client, redis]) socket.on('error', end).on('close', end);
    let whenLost: (() => void) | null = null;
    client.on('data', (chunk) => {
      whenLost ??= this.takeLoss(chunk.toString());
      redis.write(chunk);
    });
    redis.on('data', (chunk) => {
      if (!whenLost) return void client.write(chunk);
      whenLost();
      end();
    });
  }

  /** What to tell when the answer to this is lost; null when it is not to be. The next loss that is asked for is another one's. */
  private takeLoss(said: string): (() => void) | null {
    if (!this.losing?.calls.test(said)) return null;
    this.losing.left -= 1;
    if (this.losing.left > 0) return null;
    const { done } = this.losing;
    this.losing = null;
    return done;
  }
}
