import { GOOD_STORAGE, type StorageBehaviour } from '../../../src/sandbox/misbehaviour.ts';
import { describeStore } from '../../contracts/store.contract.ts';
import { type ServedStore, serveStore } from '../../support/zerodb-store.ts';

const ways: readonly (readonly [string, 'A' | 'B', Partial<StorageBehaviour>])[] = [
  ['over dialect A', 'A', {}],
  [
    'over dialect A, without ranges and with short pages',
    'A',
    { ranges: false, listClamp: 100, total: 'page' },
  ],
  ['over dialect B', 'B', { sameName: 'second' }],
  ['over dialect B, by redirects', 'B', { sameName: 'second', downloads: 'redirect' }],
  ['over dialect B, as base64', 'B', { sameName: 'second', downloads: 'base64', total: 'missing' }],
];

for (const [name, dialect, behaviour] of ways) {
  describeStore(`the zerodb store ${name}`, async () => {
    const served: ServedStore = await serveStore([dialect], {
      misbehaviour: { storage: { ...GOOD_STORAGE, ...behaviour } },
    });
    served.behave({ ...behaviour, signedOrigin: served.sandbox.url });
    return {
      store: served.store,
      reopen: async () => served.reopen(),
      [Symbol.asyncDispose]: () => served[Symbol.asyncDispose](),
    };
  });
}
