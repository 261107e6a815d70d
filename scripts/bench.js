// From a fresh clone to a running benchmark: installs and builds what is missing, then runs it in this very process, which Ctrl-C
// ends with everything that it started.
import { installAndBuild } from './build.js';

installAndBuild();
await import('../dist/sandbox/bench/main.js');
