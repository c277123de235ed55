import type { RestoreReport } from '../../model/report.ts';
import type { TargetState } from './target/reading.ts';
import type { Actions } from './write/actions.ts';
import { isReadBackByKey } from './write/rounds.ts';

/** What carrying out these actions takes, if the target goes on answering as it did when it was read. */
export function estimateOf(
  actions: Actions,
  state: TargetState,
  serverGivenKeys: boolean,
): Pick<RestoreReport, 'estimate'> {
  if (actions.count === 0) return {};
  const readBack = isReadBackByKey(actions, state, serverGivenKeys) ? actions.count : state.requests;
  const requests = actions.count + readBack;
  const secondsEach = state.readMs / 1000 / Math.max(1, state.requests);
  return { estimate: { requests, seconds: Math.ceil(requests * secondsEach) } };
}
