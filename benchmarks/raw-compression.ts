import type { Compression } from '../src/kernel/codec.ts';
import { zlibCodec } from '../src/platform/zlib-codec.ts';
import { type DocumentSettings, Documents } from './documents.ts';

/**
 * What a backup is measured against, in a process of its own: the same bytes in blocks of 1 MiB through the same
 * compressor at the same level, two at a time, and nothing else: no server, no documents, no hashes, no file.
 *
 * Document settings come as JSON in the first argument; each message `{ compression, level }` makes one round.
 */
const documents = new Documents(JSON.parse(process.argv[2]!) as DocumentSettings);
const BLOCK_BYTES = 1 << 20;
const IN_FLIGHT = 2;

export interface RawRound {
  readonly compression: Compression;
  readonly level: number;
}

export interface RawResult {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly rawSize: number;
  readonly fileSize: number;
}

async function run({ compression, level }: RawRound): Promise<RawResult> {
  const blocks = cutIntoBlocks();
  let fileSize = 0;
  const begin = performance.now();
  const cpuBefore = process.cpuUsage();
  let next = 0;
  const work = async () => {
    while (next < blocks.length) {
      const parts = await zlibCodec.compress(compression, level, [blocks[next++]!]);
      for (const part of parts) fileSize += part.length;
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, work));
  const { user, system } = process.cpuUsage(cpuBefore);
  const rawSize = blocks.reduce((sum, block) => sum + block.length, 0);
  const seconds = (performance.now() - begin) / 1000;
  return { seconds, cpuSeconds: (user + system) / 1e6, rawSize, fileSize };
}

function cutIntoBlocks(): Buffer[] {
  const blocks: Buffer[] = [];
  const { count, ready } = documents.settings;
  for (let from = 0; from < count; from += ready) {
    const text = Buffer.concat(documents.pieces(from, Math.min(count, from + ready)));
    for (let at = 0; at < text.length; at += BLOCK_BYTES) blocks.push(text.subarray(at, at + BLOCK_BYTES));
  }
  return blocks;
}

process.on('message', (round: RawRound) => {
  run(round).then(
    (result) => process.send!(result),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.on('disconnect', () => process.exit());
process.send!('ready');
