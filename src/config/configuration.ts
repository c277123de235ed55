import { BackupError } from '../kernel/errors.ts';
import type { Files } from '../kernel/files.ts';
import type { Host } from '../kernel/host.ts';
import { printable, truncated } from '../kernel/printable.ts';
import type { Redaction } from '../kernel/redaction.ts';
import { findConfigFile, readConfigFile, readSecretFile } from './config-file.ts';
import { nearest } from './nearest.ts';
import {
  flagOf,
  keyOf,
  OPTION_NAMES,
  type OptionName,
  optionFacts,
  type Settings,
  VARIABLE_PREFIX,
  variableOf,
} from './options.ts';
import { absolutePath } from './places.ts';

/** What is configured, and where each value came from. */
export interface Configuration {
  readonly settings: Settings;
  /** For people: `flag --store`, `variable ZERODB_API_KEY`, `file /etc/zerodb-backup.yaml`; absent for defaults. */
  readonly origins: ReadonlyMap<OptionName, Origin>;
  /** What the user should know, one sentence each. */
  readonly warnings: readonly string[];
}

export interface Origin {
  readonly kind: 'file' | 'variable' | 'flag' | 'argument';
  readonly name: string;
}

export type GivenOptions = { readonly [Name in OptionName]?: unknown };

export interface ConfigurationSurroundings {
  readonly files: Files;
  readonly host: Host;
  /** Learns every secret before anything else does. */
  readonly redaction: Redaction;
}

/**
 * Puts together what is configured: defaults, the configuration file, variables, and what is given by flags or by
 * the library's caller; the later wins. Throws CONFIG_INVALID or, for a flag, USAGE_INVALID.
 */
export async function loadConfiguration(
  surroundings: ConfigurationSurroundings,
  given: GivenOptions,
  givenBy: 'flag' | 'argument',
): Promise<Configuration> {
  const layers = new Layers(surroundings.redaction);
  const warnings: string[] = [];
  const { files, host } = surroundings;

  const configFile = await findConfigFile(surroundings, given.config ?? variable(host, 'config'));
  if (configFile !== null) {
    const { entries, readableByOthers } = await readConfigFile(files, configFile);
    for (const [key, raw] of entries) {
      const name = OPTION_NAMES.find((one) => keyOf(one) === key && one !== 'config');
      if (name === undefined)
        throw unknownKey(`key "${shownKey(key)}" in ${configFile}`, key, keyCandidates());
      layers.set(name, raw, { kind: 'file', name: configFile });
    }
    if (readableByOthers && entries.some(([key]) => isSecretKey(key))) {
      warnings.push(
        `${configFile} holds a secret and can be read by other users: run chmod 600 ${configFile}`,
      );
    }
  }

  refuseUnknownVariables(host);
  for (const name of OPTION_NAMES) {
    const value = variable(host, name);
    const fileVariable = `${variableOf(name)}_FILE`;
    const secretFile = optionFacts(name).secret === true ? host.env[fileVariable] || undefined : undefined;
    if (value !== undefined && secretFile !== undefined) {
      throw invalid(`${variableOf(name)} and ${fileVariable} are both set`, 'Unset one of them.');
    }
    if (value !== undefined) layers.set(name, value, { kind: 'variable', name: variableOf(name) });
    if (secretFile !== undefined) {
      const path = absolutePath(host, secretFile);
      const secret = await readSecretFile(files, path, fileVariable);
      layers.set(name, secret.value, { kind: 'variable', name: fileVariable });
      if (secret.readableByOthers) {
        warnings.push(`${path} holds a secret and can be read by other users: run chmod 600 ${path}`);
      }
    }
  }

  for (const [key, raw] of Object.entries(given)) {
    const name = OPTION_NAMES.find((one) => one === key);
    if (name === undefined) throw unknownKey(`option "${key}"`, key, OPTION_NAMES);
    if (raw === undefined) continue;
    layers.set(name, raw, { kind: givenBy, name: givenBy === 'flag' ? flagOf(name) : name });
  }
  return { settings: layers.settings(), origins: layers.origins, warnings };
}

class Layers {
  readonly origins = new Map<OptionName, Origin>();
  readonly #values = new Map<OptionName, unknown>();
  readonly #redaction: Redaction;

  constructor(redaction: Redaction) {
    this.#redaction = redaction;
  }

  set(name: OptionName, raw: unknown, origin: Origin): void {
    const { kind, secret } = optionFacts(name);
    if (secret === true && typeof raw === 'string') this.#redaction.register(raw.trim());
    let value: unknown;
    try {
      value = kind.parse(raw);
    } catch (cause) {
      const reason = secret === true ? 'is not text: put it in quotes' : (cause as Error).message;
      const label = origin.kind === 'file' ? `"${keyOf(name)}" in ${origin.name}` : origin.name;
      throw new BackupError(
        origin.kind === 'flag' ? 'USAGE_INVALID' : 'CONFIG_INVALID',
        `${label} ${reason}`,
        {
          object: origin.kind === 'file' ? keyOf(name) : origin.name,
          cure: `Give it as ${kind.placeholder === null ? 'true or false' : `<${kind.placeholder}>`} or leave it out.`,
        },
      );
    }
    this.#values.set(name, value);
    this.origins.set(name, origin);
  }

  settings(): Settings {
    const entries = OPTION_NAMES.map((name) => [name, this.#values.get(name) ?? optionFacts(name).default]);
    return Object.fromEntries(entries) as Settings;
  }
}

/** An empty variable counts as not set: that is how schedulers pass on what they do not have. */
function variable(host: Host, name: OptionName): string | undefined {
  return host.env[variableOf(name)] || undefined;
}

/** What Kubernetes sets for a service of our name. */
const FOREIGN_VARIABLE = /^ZERODB_BACKUP_(?:SERVICE_|PORT$|PORT_)/;

function refuseUnknownVariables(host: Host): void {
  const known = OPTION_NAMES.flatMap((name) =>
    optionFacts(name).secret === true ? [variableOf(name), `${variableOf(name)}_FILE`] : [variableOf(name)],
  );
  for (const name of Object.keys(host.env)) {
    if (!name.startsWith(VARIABLE_PREFIX) || known.includes(name) || FOREIGN_VARIABLE.test(name)) continue;
    throw unknownKey(`variable ${name}`, name, known);
  }
}

/** Keys of the file; also the variables' own words, so that `api_base_url` leads to `source`. */
function keyCandidates(): readonly string[] {
  return OPTION_NAMES.filter((name) => name !== 'config').map(keyOf);
}

function isSecretKey(key: string): boolean {
  return OPTION_NAMES.some((name) => optionFacts(name).secret === true && keyOf(name) === key);
}

/** Files may hold anything as a key. */
function shownKey(key: string): string {
  return printable(truncated(key, 100));
}

function unknownKey(what: string, key: string, candidates: readonly string[]): BackupError {
  const meant = byVariable(key) ?? nearest(key, candidates);
  return invalid(
    `unknown ${what}`,
    meant === null
      ? 'Remove it; `zerodb-backup config` lists every known one.'
      : `Did you mean "${meant}"? \`zerodb-backup config\` lists every known one.`,
    key,
  );
}

/** `api_base_url` is no key, but ZERODB_API_BASE_URL is the variable of `source`. */
function byVariable(key: string): string | null {
  const name = OPTION_NAMES.find((one) => variableOf(one) === `ZERODB_${key.toUpperCase()}`);
  return name === undefined ? null : keyOf(name);
}

function invalid(message: string, cure: string, object?: string): BackupError {
  return new BackupError('CONFIG_INVALID', message, { cure, ...(object !== undefined && { object }) });
}
