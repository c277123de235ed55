import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createPlatform } from '../../src/platform/platform.ts';
import { openProbeMemory } from '../../src/zerodb/probe-memory.ts';
import { FUZZ_TIMEOUT, fuzz } from '../support/fuzzing.ts';
import { untrusted } from '../support/mutations.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const KEYS = ['["dialect","http://a",null]', '__proto__', 'constructor', 'toString', ''];
const SAMPLES = [
  `{"[\\"dialect\\",\\"http://a\\",null]":"{\\"dialect\\":\\"A\\"}","other":"x"}`,
  '{"__proto__":"a","constructor":"b","toString":"c","":"d"}',
];

it(
  'what is remembered is what the file says, or nothing; and the file can be written again',
  FUZZ_TIMEOUT,
  async () => {
    using directory = temporaryDirectory();
    const memory = openProbeMemory(createPlatform(), directory.path);
    const path = join(directory.path, 'probes.json');
    await fuzz(untrusted(SAMPLES), 300, async (bytes) => {
      writeFileSync(path, bytes);
      for (const key of KEYS) expect(await memory.read(key)).toBe(remembered(bytes, key));
      await memory.write('new', 'value');
      expect(await memory.read('new')).toBe('value');
      for (const key of KEYS) expect(await memory.read(key)).toBe(remembered(bytes, key));
    });
  },
);

function remembered(bytes: Buffer, key: string): string | null {
  try {
    const value = JSON.parse(bytes.toString()) as object;
    if (Array.isArray(value) || typeof value !== 'object') return null;
    const answer: unknown = Object.getOwnPropertyDescriptor(value, key)?.value;
    return typeof answer === 'string' ? answer : null;
  } catch {
    return null;
  }
}
