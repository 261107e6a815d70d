import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger, type WorkflowBundleOption } from '@temporalio/worker';

const built = process.env['CERT_ROTATION_WORKFLOW_BUNDLE'];
let made: Promise<WorkflowBundleOption> | undefined;

/** The workflows: what `npm test` has built, or, for a file that is run by itself, made of the sources as they are. */
export function workflowBundle(): Promise<WorkflowBundleOption> {
  made ??= built
    ? Promise.resolve({ codePath: built })
    : bundleWorkflowCode({
        workflowsPath: fileURLToPath(new URL('../../src/workflows/index.ts', import.meta.url)),
        logger: new DefaultLogger('ERROR'),
      });
  return made;
}
