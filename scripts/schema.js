// Writes the JSON Schema of the configuration, which editors read, from the schema that the programs read.
import { writeFileSync } from 'node:fs';
import { configJsonSchema } from '../dist/config/json-schema.js';

writeFileSync(
  new URL('../examples/rotation.schema.json', import.meta.url),
  `${JSON.stringify(configJsonSchema(), null, 2)}\n`,
);
