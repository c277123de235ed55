import { describe, expect, it } from 'vitest';
import { openStore, parseServerAddress } from '../../src/drivers.ts';
import { createPlatform } from '../../src/platform/platform.ts';

const platform = createPlatform();
const here = {
  ...platform,
  host: { ...platform.host, workingDirectory: '/work-dir', homeDirectory: '/home/me' },
};

function address(url: string, beside: { project?: string; dialect?: 'A' | 'B' } = {}) {
  return parseServerAddress({ url, urlName: '--source', project: undefined, dialect: undefined, ...beside });
}

describe('the address of a server', () => {
  it.each([
    ['https://api.example.com', 'https://api.example.com', 'api.example.com'],
    ['http://localhost:8000/zerodb//', 'http://localhost:8000/zerodb', 'localhost:8000/zerodb'],
    ['HTTPS://API.example.com:443/?dialect=A', 'https://api.example.com', 'api.example.com'],
  ])('%s is read', (url, baseUrl, host) => {
    expect(address(url)).toMatchObject({ baseUrl, host });
  });

  it('may name project and dialect, which may also stand beside it', () => {
    expect(address('https://h?project=p1&dialect=B')).toMatchObject({ project: 'p1', dialect: 'B' });
    expect(address('https://h', { project: 'p2', dialect: 'A' })).toMatchObject({
      project: 'p2',
      dialect: 'A',
    });
    expect(address('https://h?project=p1', { project: 'p1' }).project).toBe('p1');
    expect(() => address('https://h?project=p1', { project: 'p2' })).toThrow(
      'two projects are configured: p1',
    );
  });

  it.each([
    ['api.example.com', 'not the address of a server: api.example.com'],
    ['me:geheim@api.example.com', 'not the address of a server'],
    ['ftp://api.example.com', 'not the address of a server: ftp://api.example.com'],
    ['https://geheim@api.example.com', 'holds a user name or password for api.example.com'],
    ['https://h/?token=geheim', 'has a parameter token that no'],
    ['https://h/?dialect=Z', 'names the dialect Z'],
  ])('%s is refused', (url, message) => {
    try {
      address(url);
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
      expect(String(error)).toContain(`--source ${message.startsWith('not') ? `is ${message}` : message}`);
      expect(String(error)).not.toContain('geheim');
    }
  });
});

describe('the address of a store', () => {
  it.each([
    ['/var/backups', 'file:///var/backups'],
    ['backups', 'file:///work-dir/backups'],
    ['~/backups', 'file:///home/me/backups'],
    ['file:///var/my%20backups', 'file:///var/my backups'],
  ])('%s is a directory', async (text, label) => {
    expect((await openStore(here, text)).label).toBe(label);
  });

  it.each([
    ['s3://bucket/prefix', 's3: come in a later version'],
    ['zerodb:', 'no store is known by the scheme zerodb:'],
    ['zerodb:https://other.example', 'no store is known by the scheme zerodb:'],
    ['gopher://x', 'no store is known by the scheme gopher:'],
    ['file://host/path', 'not the address of a directory: file://host/path'],
    ['file:relative', 'not the address of a directory'],
    ['file:///a%2fb', 'does not decode to a path'],
    ['file:///a?b=c', 'not the address of a directory'],
  ])('%s is refused', async (text, message) => {
    await expect(openStore(here, text)).rejects.toThrow(message);
  });
});
