/** Ids are lower-case hex; their derivations stand in `src/identity/ids.ts`. */
export type ProcessId = string & { readonly __id: 'process' }
export type SessionId = string & { readonly __id: 'session' }
export type TurnId = string & { readonly __id: 'turn' }
export type ToolCallId = string & { readonly __id: 'tool_call' }
export type ConnectionId = string & { readonly __id: 'connection' }
export type TraceId = string & { readonly __id: 'trace' }
export type SpanId = string & { readonly __id: 'span' }
