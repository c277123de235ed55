import { chmodSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type GivenOptions, loadConfiguration } from '../../../src/config/configuration.ts';
import type { BackupError } from '../../../src/kernel/errors.ts';
import { Redaction } from '../../../src/kernel/redaction.ts';
import { createPlatform } from '../../../src/platform/platform.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../../support/temporary-directory.ts';

let directory: TemporaryDirectory;
let redaction: Redaction;

beforeEach(() => {
  directory = temporaryDirectory();
  redaction = new Redaction();
});

afterEach(() => directory[Symbol.dispose]());

function load(env: Record<string, string> = {}, flags: GivenOptions = {}) {
  const { files, host } = createPlatform();
  const here = { ...host, env, workingDirectory: directory.path, homeDirectory: directory.path };
  return loadConfiguration({ files, host: here, redaction }, flags, 'flag');
}

async function failure(env: Record<string, string> = {}, flags: GivenOptions = {}): Promise<BackupError> {
  return await load(env, flags).then(
    () => expect.unreachable('this configuration must be refused'),
    (error: BackupError) => error,
  );
}

function write(name: string, content: string, mode = 0o600): string {
  const path = join(directory.path, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

it('never prints a line of the configuration file', async () => {
  const warned = vi.spyOn(process, 'emitWarning');
  write('zerodb-backup.yaml', 'api_key: !vault geheimer-schluessel\n');
  expect((await failure()).message).not.toContain('schluessel');
  expect(warned).not.toHaveBeenCalled();
});

it('shows a key of any length and content on one short line', async () => {
  write('zerodb-backup.yaml', JSON.stringify({ [`\u001b[2J${'x'.repeat(60_000)}`]: 1 }));
  const { message } = await failure();
  expect(message).toMatch(/^unknown key "\\x1b\[2Jx+…" in /);
  expect(message.length).toBeLessThan(1000);
});

describe('the order of places', () => {
  it('is default, file, variable, flag: the later wins and is remembered', async () => {
    const path = write('zerodb-backup.yaml', 'compression: zstd\ntimeout: 5s\nconcurrency: 2\n');
    const env = { ZERODB_BACKUP_TIMEOUT: '6s', ZERODB_BACKUP_CONCURRENCY: '3' };
    const { settings, origins } = await load(env, { concurrency: '4' });
    expect(settings).toMatchObject({
      consistency: 'window',
      compression: 'zstd',
      timeout: 6_000,
      concurrency: 4,
    });
    expect(origins.get('consistency')).toBeUndefined();
    expect(origins.get('compression')).toEqual({ kind: 'file', name: path });
    expect(origins.get('timeout')).toEqual({ kind: 'variable', name: 'ZERODB_BACKUP_TIMEOUT' });
    expect(origins.get('concurrency')).toEqual({ kind: 'flag', name: '--concurrency' });
  });

  it('takes empty variables for ones that are not set, and nothing else', async () => {
    expect((await load({ ZERODB_BACKUP_STORE: '', ZERODB_API_KEY: '' })).settings.store).toBeUndefined();
    expect(await failure({}, { store: '' })).toMatchObject({
      code: 'USAGE_INVALID',
      message: '--store is empty',
    });
    write('zerodb-backup.yaml', 'store:\n');
    expect((await failure()).message).toBe(
      `"store" in ${directory.path}/zerodb-backup.yaml is empty, not text`,
    );
  });
});

describe('the file', () => {
  it('is named by flag or variable, or has one of two names in the working directory', async () => {
    const other = write('other.json', '{"store": ["a", "b"], "rate_limit": 60}');
    expect((await load({}, { config: 'other.json' })).settings).toMatchObject({
      store: ['a', 'b'],
      rateLimit: 60,
    });
    expect((await load({ ZERODB_BACKUP_CONFIG: other })).settings.rateLimit).toBe(60);
    write('zerodb-backup.json', '{"rate_limit": 61}');
    expect((await load()).settings.rateLimit).toBe(61);
    write('zerodb-backup.yaml', 'rate_limit: 62\n');
    expect((await failure()).message).toContain('there are two configuration files');
  });

  it.each([
    ['missing', null, 'does not exist'],
    ['a list', '- a\n', 'does not hold keys and values'],
    ['broken', 'a: [\n', 'is not YAML: see line 2, column 1'],
    ['of repeated keys', 'store: a\nstore: b\n', 'is not YAML'],
    ['with a tag that nobody knows', 'store: !vault a\n', 'is not YAML: see line 1, column 8'],
    ['of a set', '%YAML 1.1\n---\n!!set {store}\n', 'does not hold keys and values'],
    ['of endless length', '#'.repeat(65_537), 'is larger than 64 KiB'],
  ])('that is %s is refused', async (_what, content, message) => {
    if (content !== null) write('c.yaml', content);
    const error = await failure({}, { config: 'c.yaml' });
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', exit: 2 });
    expect(error.message).toContain(`configuration file ${directory.path}/c.yaml ${message}`);
  });

  it('does not get quoted when it is broken', async () => {
    write('zerodb-backup.yaml', 'api_key: "geheimer-schluessel\n');
    const error = await failure();
    expect(JSON.stringify([error.message, error.cure])).not.toContain('geheimer');
  });

  it('may be empty', async () => {
    write('zerodb-backup.yaml', '# nothing yet\n');
    expect((await load()).origins.size).toBe(0);
  });
});

describe('what is not known', () => {
  it.each([
    ['stoer', 'store'],
    ['compresion', 'compression'],
    ['api_base_url', 'source'],
    ['apikey', 'api_key'],
  ])('in the file: %s leads to %s', async (key, meant) => {
    write('zerodb-backup.yaml', `${key}: x\n`);
    const error = await failure();
    expect(error.message).toBe(`unknown key "${key}" in ${directory.path}/zerodb-backup.yaml`);
    expect(error.cure).toContain(`Did you mean "${meant}"?`);
  });

  it('among variables leads to the nearest', async () => {
    const error = await failure({ ZERODB_BACKUP_STOER: 'x' });
    expect(error.message).toBe('unknown variable ZERODB_BACKUP_STOER');
    expect(error.cure).toContain('Did you mean "ZERODB_BACKUP_STORE"?');
  });

  it('leads nowhere where nothing is near', async () => {
    write('zerodb-backup.yaml', 'quetzalcoatl: x\n__proto__: 1\n');
    expect((await failure()).cure).not.toContain('Did you mean');
  });

  it('is left alone where others set it', async () => {
    const env = { ZERODB_BACKUP_SERVICE_HOST: '10.0.0.1', ZERODB_BACKUP_PORT: 'tcp://x', ZERODB_URL: 'x' };
    expect((await load(env)).warnings).toEqual([]);
  });
});

describe('secrets', () => {
  it('come from variables, from files that variables name, and from the file', async () => {
    write('key.txt', 'from-a-file\r\n');
    write('zerodb-backup.yaml', 'password: in-the-config\n');
    const { settings, origins, warnings } = await load({ ZERODB_API_KEY_FILE: 'key.txt' });
    expect(settings).toMatchObject({ apiKey: 'from-a-file', password: 'in-the-config' });
    expect(origins.get('apiKey')).toEqual({ kind: 'variable', name: 'ZERODB_API_KEY_FILE' });
    expect(warnings).toEqual([]);
    expect(redaction.redact('a from-a-file b in-the-config')).toBe('a [redacted] b [redacted]');
  });

  it('are registered before they are judged, and never repeated', async () => {
    write('zerodb-backup.yaml', 'password: 12345678\n');
    const error = await failure();
    expect(error.message).toContain('"password"');
    expect(JSON.stringify([error.message, error.cure])).not.toContain('12345678');
  });

  it('cannot come from two variables at once', async () => {
    write('key.txt', 'one');
    const error = await failure({ ZERODB_API_KEY: 'two', ZERODB_API_KEY_FILE: 'key.txt' });
    expect(error.message).toBe('ZERODB_API_KEY and ZERODB_API_KEY_FILE are both set');
  });

  it.each([
    ['is missing', null, 'does not exist'],
    ['is empty', '\n', 'is empty'],
  ])('are refused where their file %s', async (_what, content, message) => {
    if (content !== null) write('key.txt', content);
    const error = await failure({ ZERODB_API_KEY_FILE: 'key.txt' });
    expect(error.message).toBe(`file ${directory.path}/key.txt named by ZERODB_API_KEY_FILE ${message}`);
  });

  it('that other users can read are warned about', async () => {
    const config = write('zerodb-backup.yaml', 'api_key: readable\n', 0o644);
    const key = write('password.txt', 'readable', 0o640);
    const { warnings } = await load({ ZERODB_PASSWORD_FILE: key });
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toContain(`chmod 600 ${config}`);
    expect(warnings[1]).toContain(`chmod 600 ${key}`);
  });

  it('are not warned about where there is none, or behind a link', async () => {
    write('zerodb-backup.yaml', 'store: /somewhere\n', 0o644);
    write('key.txt', 'hidden', 0o600);
    symlinkSync(join(directory.path, 'key.txt'), join(directory.path, 'link'));
    expect((await load({ ZERODB_API_KEY_FILE: 'link' })).warnings).toEqual([]);
  });
});
