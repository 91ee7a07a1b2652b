import { detectResources, envDetector, hostDetector, osDetector, resourceFromAttributes } from '@opentelemetry/resources'
import { type RunResource, resourceBytes } from '../ship/logs.ts'

/** A detector reads files and, on some systems, asks a program. */
const WAIT_MS = 1000

/** What stands in where the journal no longer has the resource of a run: what the OpenTelemetry detectors find on this host now. */
export async function detectedResource(): Promise<RunResource> {
  const resource = resourceFromAttributes({ 'service.name': 'spoor' }).merge(detectResources({ detectors: [hostDetector, osDetector, envDetector] }))
  await Promise.race([resource.waitForAsyncAttributes?.(), new Promise((resolve) => setTimeout(resolve, WAIT_MS).unref())])
  const attributes: Record<string, string> = {}
  for (const [key, value] of Object.entries(resource.attributes)) if (typeof value === 'string' || typeof value === 'number') attributes[key] = String(value)
  return { index: -1, bytes: resourceBytes(attributes) }
}
