import process from 'node:process';
import { startSandbox } from '../src/sandbox/sandbox.ts';

/** The sandbox's Object Storage in a process of its own, in the directory given. */
const sandbox = await startSandbox({ directory: process.argv[2]!, dialects: ['A'] });
process.send!({ url: sandbox.url, project: sandbox.project, apiKey: sandbox.apiKey });
