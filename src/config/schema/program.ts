import { z } from 'zod';

/** A program of somebody else: an absolute path, because the worker never searches for one (safety 26). */
export const program = {
  binary: z
    .string()
    .regex(/^\//, 'is no absolute path')
    .describe('Absolute path of the program: the worker never searches for one.')
    .meta({ examples: ['/usr/local/bin/tcld'] }),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'is no SHA-256: 64 lower-case hex digits')
    .optional()
    .describe('The program is not run when its file has another one.'),
};
