import { describeStore } from '../../contracts/store.contract.ts';
import { memoryStore } from '../../support/memory-store.ts';

describeStore('the memory store of the tests', async () => {
  const objects = new Map<string, Buffer>();
  const store = memoryStore(objects);
  return { store, reopen: async () => memoryStore(objects), [Symbol.asyncDispose]: () => store.close() };
});
