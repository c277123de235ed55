import type { Files } from '../kernel/files.ts';
import type { Platform } from '../kernel/platform.ts';
import { randomHex } from '../kernel/random.ts';
import type { ProbeMemory } from './probe.ts';

const BYTES_MAX = 1 << 20;

/** Remembers in the state directory how servers are spoken to. What cannot be read or written is found out anew. */
export function openProbeMemory(
  platform: Pick<Platform, 'files' | 'random'>,
  stateDirectory: string,
): ProbeMemory {
  const { files, random } = platform;
  const path = `${stateDirectory}/probes.json`;
  return {
    async read(key) {
      return (await readAll(files, path)).get(key) ?? null;
    },
    async write(key, value) {
      const all = await readAll(files, path);
      if (all.get(key) === value) return;
      all.set(key, value);
      const partial = `${path}.${randomHex(random, 8)}`;
      await files.makeDirectory(stateDirectory, 0o700);
      const writer = await files.create(partial, 0o600);
      try {
        await writer.write(Buffer.from(JSON.stringify(Object.fromEntries(all))));
      } finally {
        await writer.close();
      }
      await files.rename(partial, path);
    },
  };
}

async function readAll(files: Files, path: string): Promise<Map<string, string>> {
  const remembered = new Map<string, string>();
  try {
    const reader = await files.open(path);
    try {
      const bytes = Buffer.alloc(Math.min(reader.size, BYTES_MAX));
      await reader.read(bytes, 0);
      const value: unknown = JSON.parse(bytes.toString('utf8'));
      // a text has entries too: its characters
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return remembered;
      for (const [key, answer] of Object.entries(value)) {
        if (typeof answer === 'string') remembered.set(key, answer);
      }
    } finally {
      await reader.close();
    }
  } catch {
    return remembered; // nothing remembered yet, or not any more
  }
  return remembered;
}
