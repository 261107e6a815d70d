/** Tests of many files in one process: what they all load is loaded once. scripts/test.js says which, and why. */
for (const file of JSON.parse(process.env['CERT_ROTATION_TESTS_TOGETHER']!) as string[])
  await import(new URL(file, import.meta.url).href);
