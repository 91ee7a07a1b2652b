import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { decodeLogsRequest, type LogRecord } from './protobuf.ts'

/** How the far side answers: per request, so that a test can change its mind. `never` accepts and stays silent. */
export type Mood = { readonly status: number; readonly body?: string | Uint8Array; readonly headers?: Readonly<Record<string, string>> } | 'never' | 'reset'
export const ok: Mood = { status: 200 }

export type Span = {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: ReadonlyArray<{ readonly key: string; readonly value: unknown }>
}
type TraceRequest = { readonly resourceSpans: ReadonlyArray<{ readonly resource: unknown; readonly scopeSpans: ReadonlyArray<{ readonly spans: readonly Span[] }> }> }

export type Sink = {
  readonly url: string
  readonly logs: LogRecord[]
  readonly spans: Span[]
  /** Every request, in order, whatever was answered. */
  readonly requests: Array<{
    readonly path: string
    readonly contentType: string
    readonly encoding: string
    readonly bytes: number
    readonly at: number
    readonly headers: IncomingMessage['headers']
    readonly answered: number
  }>
  /** Bodies that did not decode: always a bug. */
  readonly malformed: string[]
  mood: Mood | ((path: string, request: number) => Mood)
  /** Bytes received on /v1/logs as sent (compressed). */
  wireBytes: number
  /** Log records accepted, where `keep` is off. */
  count: number
  close(): Promise<void>
  reopen(): Promise<void>
}

/** A local OTLP/HTTP collector that decodes what it accepts and keeps it in memory. */
export async function startSink(options: { readonly keep?: boolean } = {}): Promise<Sink> {
  const keep = options.keep ?? true
  let server = createServer(handle)
  const listen = (port: number): Promise<void> => new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve))
  await listen(0)
  const { port } = server.address() as AddressInfo
  const sink: Sink = {
    url: `http://127.0.0.1:${port}`,
    logs: [],
    spans: [],
    requests: [],
    malformed: [],
    mood: ok,
    wireBytes: 0,
    count: 0,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
    reopen: async () => {
      server = createServer(handle)
      await listen(port)
    },
  }
  return sink

  function handle(request: IncomingMessage, response: ServerResponse): void {
    const parts: Buffer[] = []
    request.on('error', () => {})
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const wire = Buffer.concat(parts)
      const path = request.url ?? ''
      const encoding = String(request.headers['content-encoding'] ?? '')
      const contentType = String(request.headers['content-type'] ?? '')
      const mood = typeof sink.mood === 'function' ? sink.mood(path, sink.requests.length) : sink.mood
      sink.requests.push({ path, contentType, encoding, bytes: wire.length, at: Date.now(), headers: request.headers, answered: typeof mood === 'string' ? 0 : mood.status })
      if (mood === 'never') return
      if (mood === 'reset') {
        request.socket.destroy()
        return
      }
      if (mood.status >= 200 && mood.status < 300) {
        if (path.endsWith('/v1/logs')) sink.wireBytes += wire.length
        try {
          const body = encoding === 'gzip' ? gunzipSync(wire) : wire
          if (path.endsWith('/v1/logs') && contentType.includes('protobuf')) {
            const records = decodeLogsRequest(body)
            sink.count += records.length
            if (keep) for (const record of records) sink.logs.push(record)
          } else if (path.endsWith('/v1/traces') && contentType.includes('json')) {
            const traces = JSON.parse(body.toString('utf8')) as TraceRequest
            for (const resource of traces.resourceSpans) for (const scope of resource.scopeSpans) sink.spans.push(...scope.spans)
          } else if (contentType.includes('json')) JSON.parse(body.toString('utf8'))
          else sink.malformed.push(`${path}: content type ${contentType}`)
        } catch (error) {
          sink.malformed.push(`${path}: ${error}`)
        }
      }
      const json = contentType.includes('json')
      response.writeHead(mood.status, { 'content-type': json ? 'application/json' : 'application/x-protobuf', ...mood.headers })
      response.end(mood.body ?? (json ? '{}' : ''))
    })
  }
}
