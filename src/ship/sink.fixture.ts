import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'

/** A collector for tests: a real server on 127.0.0.1 that keeps what it got and misbehaves on demand. */
export type Got = { readonly path: string; readonly headers: IncomingHttpHeaders; readonly body: Buffer }
export type Behaviour =
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string | Buffer }
  /** Reads the request, never answers. */
  | 'never'
  /** Status and headers at once, then a byte every 20 ms for ever. */
  | 'drip'
  /** Half a body, then a reset. */
  | 'reset'
  /** A reset before any answer. */
  | 'hang up'
  /** A body without end, at full speed. */
  | 'flood'

export type Sink = {
  readonly url: string
  readonly got: Got[]
  /** Answers the next requests in this order, then as `otherwise`. */
  readonly next: Behaviour[]
  otherwise: Behaviour | ((got: Got) => Behaviour)
  readonly connections: () => number
  close(): Promise<void>
}

export const OK: Behaviour = { status: 200, headers: { 'content-type': 'application/x-protobuf' } }

export async function startSink(options: { readonly port?: number; readonly tls?: { readonly key: string; readonly cert: string; readonly ca?: string } } = {}): Promise<Sink> {
  const sockets = new Set<Socket>()
  let connections = 0
  const handler = (request: IncomingMessage, response: ServerResponse): void => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('error', () => {})
    request.on('end', () => {
      const raw = Buffer.concat(chunks)
      const got: Got = { path: request.url ?? '', headers: request.headers, body: request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw }
      sink.got.push(got)
      answer(sink.next.shift() ?? (typeof sink.otherwise === 'function' ? sink.otherwise(got) : sink.otherwise), request.socket, response)
    })
  }
  const server: Server = options.tls ? createTlsServer({ ...options.tls, ...(options.tls.ca && { requestCert: true, rejectUnauthorized: true }) }, handler) : createServer(handler)
  const track = (socket: Socket): void => {
    connections++
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
  }
  server.on('connection', track)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  const sink: Sink = {
    url: `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    got: [],
    next: [],
    otherwise: OK,
    connections: () => connections,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
  return sink
}

function answer(behaviour: Behaviour, socket: Socket, response: ServerResponse): void {
  if (typeof behaviour === 'object') {
    response.writeHead(behaviour.status, behaviour.headers)
    response.end(behaviour.body ?? '')
    return
  }
  switch (behaviour) {
    case 'never':
      return
    case 'drip': {
      response.writeHead(200, { 'content-type': 'application/json' })
      const timer = setInterval(() => response.write('x'), 20)
      socket.on('close', () => clearInterval(timer))
      return
    }
    case 'reset':
      response.writeHead(200, { 'content-length': '100' })
      response.write('x'.repeat(50), () => socket.resetAndDestroy())
      return
    case 'hang up':
      socket.resetAndDestroy()
      return
    case 'flood': {
      response.writeHead(200, { 'content-type': 'application/json' })
      const chunk = Buffer.alloc(64 * 1024, 'x')
      const pour = (): void => {
        while (!response.destroyed && response.write(chunk));
      }
      response.on('drain', pour)
      pour()
      return
    }
    default:
      behaviour satisfies never
  }
}

/** A self-signed certificate for 127.0.0.1, as `cert.pem` and `key.pem` in `folder`; null without openssl. */
export function certificate(folder: string): { key: string; cert: string } | null {
  const key = join(folder, 'key.pem')
  const cert = join(folder, 'cert.pem')
  const wish = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=sink', '-addext', 'subjectAltName=IP:127.0.0.1']
  try {
    execFileSync('openssl', [...wish, '-keyout', key, '-out', cert], { stdio: 'ignore' })
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
  } catch {
    return null
  }
}

/** The log records in an ExportLogsServiceRequest as raw bytes, with the raw bytes of their resource. */
export function recordsIn(body: Buffer): { readonly resource: Buffer; readonly record: Buffer }[] {
  const found: { resource: Buffer; record: Buffer }[] = []
  for (const [field, resourceLogs] of fieldsOf(body)) {
    if (field !== 1) continue
    const parts = fieldsOf(resourceLogs)
    const resource = parts.find(([number]) => number === 1)![1]
    for (const [number, scopeLogs] of parts) if (number === 2) for (const [inner, record] of fieldsOf(scopeLogs)) if (inner === 2) found.push({ resource, record })
  }
  return found
}

function fieldsOf(bytes: Buffer): [field: number, payload: Buffer][] {
  const fields: [number, Buffer][] = []
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
  }
  while (at < bytes.length) {
    const tag = varint()
    if (tag % 8 !== 2) throw new Error(`wire type ${tag % 8} where a message was expected`)
    const length = varint()
    fields.push([tag >> 3, bytes.subarray(at, at + length)])
    at += length
  }
  return fields
}
