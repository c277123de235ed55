import type { Clock } from '../../src/kernel/clock.ts';
import { GOOD_STORAGE, type Misbehaviour, type StorageBehaviour } from '../../src/sandbox/misbehaviour.ts';
import { type Sandbox, type SandboxOptions, startSandbox } from '../../src/sandbox/sandbox.ts';
import type { Store } from '../../src/stores/store.ts';
import { openZerodbStore } from '../../src/stores/zerodb.ts';
import { ZerodbConnection } from '../../src/zerodb/connection.ts';
import { temporaryDirectory } from './temporary-directory.ts';
import { testPlatform } from './test-platform.ts';

/** The Object Storage of a sandbox as a store, over one of its dialects. */
export interface ServedStore extends AsyncDisposable {
  readonly sandbox: Sandbox;
  readonly store: Store;
  /** @param clock one on which waiting takes no time if left out */
  reopen(clock?: Clock): Store;
  behave(change: Partial<StorageBehaviour>): void;
  misbehave(change: Partial<Misbehaviour>): void;
}

export async function serveStore(
  dialects: SandboxOptions['dialects'],
  options: SandboxOptions = {},
): Promise<ServedStore> {
  const directory = temporaryDirectory();
  const sandbox = await startSandbox({ ...options, dialects: dialects! });
  let seed = 0;
  const reopen = (clock?: Clock): Store => {
    const platform = testPlatform(++seed);
    const connection = new ZerodbConnection(
      { ...platform, clock: clock ?? platform.clock },
      {
        baseUrl: sandbox.url,
        project: sandbox.project,
        apiKey: { value: sandbox.apiKey, name: 'ZERODB_API_KEY' },
        timeoutMs: 5000,
      },
    );
    return openZerodbStore(connection, directory.path);
  };
  return {
    sandbox,
    store: reopen(),
    reopen,
    behave: (change) => sandbox.misbehave({ storage: { ...GOOD_STORAGE, ...change } }),
    misbehave: (change) => sandbox.misbehave(change),
    async [Symbol.asyncDispose]() {
      await sandbox.close();
      directory[Symbol.dispose]();
    },
  };
}
