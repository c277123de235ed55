// usage: node .ci/count-tests.mjs REPORT STATUS
// Prints how many tests passed and failed, from the runner's JSON report. What failed without a failing test counts as
// one failure: a file that does not load, a runner that ended with another status than 0, a run without any test.
import { readFileSync } from 'node:fs';

const [report, status] = process.argv.slice(2);
const { testResults } = JSON.parse(readFileSync(report, 'utf8'));
const states = testResults.flatMap(({ assertionResults, status: fileStatus }) => {
  const tests = assertionResults.map((test) => test.status);
  return fileStatus === 'failed' && !tests.includes('failed') ? [...tests, 'failed'] : tests;
});
const count = (state) => states.filter((one) => one === state).length;
const passed = count('passed');
const failed = count('failed');
const failedOtherwise = failed === 0 && (status !== '0' || passed === 0) ? 1 : 0;
console.log(`${passed} ${failed + failedOtherwise}`);
