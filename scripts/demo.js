// From a fresh clone to a running demo: installs and builds what is missing, then runs it in this very process, which Ctrl-C
// ends with everything that it started.
import { installAndBuild } from './build.js';

installAndBuild();
await import('../dist/sandbox/demo/main.js');
