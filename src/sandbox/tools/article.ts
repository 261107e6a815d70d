import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { findTool } from './index.js';

/** The programs that the article's commands name. */
export const articleTools = ['temporal', 'kubectl', 'tcld', 'certstrap'] as const;

/** The tools of the article under their own names in `folder`, for a PATH: `sandbox up --with-tools`, and whoever runs its script. */
export async function linkArticleTools(folder: string, progress: (line: string) => void): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const name of articleTools) await symlink(await findTool(name, { progress }), join(folder, name));
}
