// The end of a build. Bundles the workflows: a worker then starts without webpack, and runs exactly what was tested. Makes the
// two programs executable, which the compiler does not.
import { chmod, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const bundles = {
  '../dist/workflows/index.js': '../dist/workflow-bundle.js',
  '../dist/sandbox/booking/workflows.js': '../dist/sandbox/booking/workflow-bundle.js',
};
for (const [workflows, bundle] of Object.entries(bundles)) {
  const { code } = await bundleWorkflowCode({ workflowsPath: at(workflows), logger: new DefaultLogger('WARN') });
  await writeFile(at(bundle), code);
}
for (const program of ['starter', 'worker']) await chmod(at(`../dist/${program}.js`), 0o755);
