import type { World } from '../world.ts';

/** Somebody empties a collection, or spoils all documents of it but one. */
export function loseSome({ actsAs, dice, server }: World, collection: string): void {
  const isLost = dice.chance(0.3);
  actsAs('an unlucky person', () => {
    if (isLost) server.wipe(collection);
    else
      for (const { key, data } of [...server.documents(collection)].slice(1)) {
        const changed = data.toString('latin1').replace(/"version":"(v\d+x*)"/, '"more":1,"version":"$1x"');
        server.update(collection, key, Buffer.from(changed, 'latin1'));
      }
  });
}
