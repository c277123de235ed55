import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, it, vi } from 'vitest';
import { type GivenOptions, loadConfiguration } from '../../src/config/configuration.ts';
import { OPTION_NAMES } from '../../src/config/options.ts';
import { Redaction } from '../../src/kernel/redaction.ts';
import { createPlatform } from '../../src/platform/platform.ts';
import { attempt, FUZZ_TIMEOUT, fuzz } from '../support/fuzzing.ts';
import { untrusted } from '../support/mutations.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const SECRET = 'canary-4711';
const YAML = [
  `source: https://api.example.com\napi_key: ${SECRET}\nstore: [/a, "/b"]\ntimeout: 30s\nconcurrency: 4\n`,
  `# comment\npassword: "${SECRET}"\nemail: me@example.com\nexclude:\n  - logs\n  - 'x y'\nquiet: true\n`,
  `%YAML 1.1\n---\ncompression: &c gzip\nlog_level: *c\napi_key: !!str ${SECRET}\nrate_limit: 1_000\n`,
  `{source: 'http://x', api_key: >-\n  ${SECRET}\n}\n`,
];
const JSON_FILES = [
  `{"source":"https://api.example.com","api_key":"${SECRET}","store":["/a"],"timeout":"5m","json":false}`,
  `{"email":"me@example.com","password":"${SECRET}","concurrency":"7","rate_limit":62.5,"project_id":"p"}`,
];

const directory = temporaryDirectory();
afterAll(() => directory[Symbol.dispose]());

function load(env: Record<string, string>, given: GivenOptions = {}) {
  const { files, host } = createPlatform();
  const here = { ...host, env, workingDirectory: directory.path, homeDirectory: directory.path };
  return loadConfiguration({ files, host: here, redaction: new Redaction() }, given, 'flag');
}

it.each([
  ['YAML', 'c.yaml', YAML, 1000],
  ['JSON', 'c.json', JSON_FILES, 2000],
] as const)(
  'a file of %s is settings, or one line that says where it is wrong',
  FUZZ_TIMEOUT,
  async (_, name, samples, runs) => {
    const path = join(directory.path, name);
    const warned = vi.spyOn(process, 'emitWarning');
    await fuzz(untrusted(samples), runs, async (bytes) => {
      writeFileSync(path, bytes, { mode: 0o600 });
      const loaded = await attempt(() => load({ ZERODB_BACKUP_CONFIG: path }));
      expect(warned).not.toHaveBeenCalled();
      if ('error' in loaded) {
        const { code, message } = loaded.error;
        expect(code).toBe('CONFIG_INVALID');
        // in the place of another value or key it is no secret
        if (/^configuration file|^"(?:api_key|password)"/.test(message))
          expect(message).not.toContain(SECRET);
        expect(message).not.toMatch(/\p{Cc}/u);
        expect(message.length).toBeLessThan(1000);
        return;
      }
      const { settings, origins } = loaded.value;
      expect(settings.compression).toMatch(/^(gzip|zstd)$/);
      expect(settings.timeout).toBeGreaterThan(0);
      expect(settings.concurrency).toBeGreaterThanOrEqual(1);
      if (name !== 'c.json') return;
      const members = Object.entries((JSON.parse(new TextDecoder().decode(bytes)) ?? {}) as object);
      expect(members).toHaveLength(origins.size - 1); // the file itself is named by a variable
      for (const [key, value] of members) {
        if (key === 'source') expect(settings.source).toBe((value as string).trim());
        if (key === 'rate_limit') expect(settings.rateLimit).toBe(Number(value));
      }
    });
  },
);

it('an option that is given may be anything', FUZZ_TIMEOUT, async () => {
  const given = fc.tuple(
    fc.constantFrom(...OPTION_NAMES, '__proto__', 'constructor'),
    fc.anything({ withBigInt: true, withNullPrototype: true, withSparseArray: true }),
  );
  await fuzz(given, 3000, async ([name, value]) => {
    if (name === 'config' && typeof value === 'string') return;
    const loaded = await attempt(() => load({}, { [name]: value }));
    const code = 'error' in loaded ? loaded.error.code : 'none';
    expect(code).toMatch(/^(none|USAGE_INVALID|CONFIG_INVALID)$/);
  });
});
