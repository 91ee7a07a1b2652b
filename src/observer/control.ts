import { once } from 'node:events'
import { chmodSync, unlinkSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import type { SessionId } from '../model/ids.ts'
import type { ControlReply, SessionSummary, StatusDocument } from '../model/status.ts'
import { parseRequest, REQUEST_MAX_BYTES } from './requests.ts'
import { withSocketPath } from './socket-path.ts'

/** Who is at the other end, as the kernel says (SO_PEERCRED). */
export type Peer = { readonly pid: number; readonly uid: number; readonly gid: number }

export type ControlHandlers = {
  status(): StatusDocument
  /** Null: that process is gone, or cannot be tracked. */
  record(task: { readonly pid: number; readonly startTicks: number }, name: string | null): SessionId | null
  summary(session: SessionId): SessionSummary | null
  /** Real uid of that very process (pid and start time), null when it is gone. */
  ownerOf(pid: number, startTicks: number): number | null
}

export type ControlOptions = {
  readonly path: string
  /** 0666 where the peer's uid decides (root), 0600 for one user's own observer. */
  readonly mode: number
  readonly handlers: ControlHandlers
  readonly peer: (fd: number) => Peer | null
}

export type Control = { close(): Promise<void> }

/** A client is a command that asks and leaves. One user cannot take the places of all: root has its own beyond these. */
const CLIENTS_MAX = 32
const CLIENTS_PER_USER = 8
const ROOT_RESERVE = 8
/** Nobody needs longer to write one line. */
const IDLE_MS = 10_000

const no = (error: string): ControlReply => ({ ok: false, error })

/** Pure: what `peer` gets for one line. */
export function answer(line: string, peer: Peer, handlers: ControlHandlers): ControlReply {
  const request = parseRequest(line)
  if (typeof request === 'string') return no(request)
  switch (request.op) {
    case 'status':
      return { ok: true, op: 'status', status: handlers.status() }
    case 'record': {
      const owner = handlers.ownerOf(request.pid, request.startTicks)
      if (owner === null) return no(`process ${request.pid} has ended`)
      if (peer.uid !== 0 && peer.uid !== owner) return no(`process ${request.pid} belongs to another user`)
      const session = handlers.record({ pid: request.pid, startTicks: request.startTicks }, request.name)
      return session === null ? no(`process ${request.pid} could not be tracked`) : { ok: true, op: 'record', session }
    }
    case 'summary': {
      const summary = handlers.summary(request.session as SessionId)
      // The same words for both, so that one user cannot ask which sessions others have.
      if (summary === null || (peer.uid !== 0 && peer.uid !== summary.userId)) return no('no such session among yours')
      return { ok: true, op: 'summary', summary }
    }
    default:
      return request satisfies never
  }
}

/** Listens on a Unix socket: one request line, one reply line. The caller holds the state directory's lock, so a socket that is there is a dead one. */
export async function serveControl({ path, mode, handlers, peer: peerOf }: ControlOptions): Promise<Control> {
  const clients = new Map<Socket, number>()

  function refusal(uid: number): string | null {
    if (uid === 0) return clients.size >= CLIENTS_MAX + ROOT_RESERVE ? 'too many clients' : null
    if (clients.size >= CLIENTS_MAX) return 'too many clients'
    let own = 0
    for (const other of clients.values()) if (other === uid) own++
    return own >= CLIENTS_PER_USER ? 'too many clients of this user' : null
  }

  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => socket.destroy())
    socket.setTimeout(IDLE_MS, () => socket.destroy())
    const peer = peerOf(descriptorOf(socket))
    const refused = peer === null ? 'peer credentials unknown' : refusal(peer.uid)
    if (peer === null || refused !== null) {
      socket.end(JSON.stringify(no(refused ?? '')) + '\n')
      socket.resume()
      return
    }
    clients.set(socket, peer.uid)
    socket.once('close', () => clients.delete(socket))
    void converse(socket, (line) => answer(line, peer, handlers))
  })
  server.on('error', () => {}) // accept can fail for want of descriptors: the client sees it, the observer goes on

  await withSocketPath(path, async (short) => {
    try {
      unlinkSync(short)
    } catch {
      // not there: the usual case
    }
    server.listen(short)
    await once(server, 'listening')
    chmodSync(short, mode)
  })

  return {
    async close() {
      const closed = new Promise((done) => server.close(done))
      for (const socket of clients.keys()) socket.destroy()
      await closed
      try {
        unlinkSync(path) // libuv removes the name it was given, which may have been the short one
      } catch {
        // gone already
      }
    },
  }
}

/** Reads line by line, answers one before it reads the next: a client that does not read is not read from either. */
async function converse(socket: Socket, reply: (line: string) => ControlReply): Promise<void> {
  let rest: Buffer = Buffer.alloc(0)
  try {
    // An iterator of its own: the default one destroys the socket at the end of the requests, with replies still unsent.
    for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
        const line = rest.toString('utf8', 0, end)
        rest = rest.subarray(end + 1)
        const said = end > REQUEST_MAX_BYTES ? no('request too long') : reply(line)
        if (!socket.write(JSON.stringify(said) + '\n')) await Promise.race([once(socket, 'drain'), once(socket, 'close')])
        if (socket.destroyed) return
      }
      if (rest.length > REQUEST_MAX_BYTES) {
        socket.end(JSON.stringify(no('request too long')) + '\n')
        socket.resume()
        return
      }
    }
    socket.end()
  } catch {
    socket.destroy() // the client went away
  }
}

/** Node keeps the descriptor of a socket in its handle only. */
const descriptorOf = (socket: Socket): number => (socket as unknown as { readonly _handle?: { readonly fd?: number } })._handle?.fd ?? -1
