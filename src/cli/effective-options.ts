import type { Configuration } from '../config/configuration.ts';
import { keyOf, OPTION_NAMES, type OptionName, optionFacts, variableOf } from '../config/options.ts';
import { defaultStateDirectory } from '../config/places.ts';
import type { Host } from '../kernel/host.ts';

const MASK = '********';

/** Every option as it is in effect, and where it came from; secrets are masked. */
export function effectiveOptions({ settings, origins }: Configuration, host: Host) {
  return OPTION_NAMES.map((name) => {
    const origin = origins.get(name);
    return {
      name: keyOf(name),
      value: shownValue(name, settings[name]),
      from: origin === undefined ? 'default' : `${origin.kind} ${origin.name}`,
      variable: variableOf(name),
      otherwise: name === 'stateDir' ? defaultStateDirectory(host) : optionFacts(name).otherwise,
    };
  });
}

function shownValue(name: OptionName, value: unknown): string | null {
  if (value === undefined) return null;
  const { kind, secret } = optionFacts(name);
  return secret === true ? MASK : kind.format(value);
}
