import { flagOf, OPTION_NAMES, optionFacts, variableOf } from '../config/options.ts';
import { BackupError } from '../kernel/errors.ts';

/** Secrets would be seen by everybody who may list processes. The value is never repeated. */
export function refuseSecretsIn(argv: readonly string[]): void {
  for (const name of OPTION_NAMES) {
    const flag = flagOf(name);
    if (optionFacts(name).secret !== true) continue;
    if (!argv.some((argument) => argument === flag || argument.startsWith(`${flag}=`))) continue;
    const variable = variableOf(name);
    throw new BackupError('USAGE_INVALID', `${flag} cannot stand on the command line`, {
      object: flag,
      cure: `Other users can see it there: set ${variable}, or ${variable}_FILE to the path of a file that holds it.`,
    });
  }
}
