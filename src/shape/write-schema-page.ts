import { writeFileSync } from 'node:fs'
import { schemaPage } from './schema-page.ts'

// To be run by hand after a change of the registry: node src/shape/write-schema-page.ts
if (import.meta.main) writeFileSync(new URL('../../docs/schema.md', import.meta.url), schemaPage())
