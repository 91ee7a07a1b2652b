import { type Koffi, koffi, type Pointer } from './libc.ts'

/** The stable name of libbpf 1.x. 0.x lacks calls used here and treats errors differently. */
export const LIBBPF = 'libbpf.so.1'

/** A call made by libuv's thread pool. */
type Async<R> = (pointer: Pointer, done: (error: Error | null, result: R) => void) => void

/**
 * The calls of libbpf used here, as libbpf names them less the prefix. `number` results: 0 or more, or -errno. `null` results: see `errno()`.
 * Buffers are handed over as they are: the kernel reads and writes them in place.
 */
export type Libbpf = {
  errno(): number
  address(buffer: ArrayBuffer): Pointer
  objectOpenMem(bytes: Uint8Array, size: number, options: { sz: number; object_name: string }): Pointer | null
  objectLoad(object: Pointer): number
  objectClose(object: Pointer): void
  objectNextProgram(object: Pointer, previous: Pointer | null): Pointer | null
  objectNextMap(object: Pointer, previous: Pointer | null): Pointer | null
  programName(program: Pointer): string
  programSection(program: Pointer): string
  programAutoload(program: Pointer): boolean
  programSetAutoload(program: Pointer, on: boolean): number
  programSetLogBuf(program: Pointer, buffer: Uint8Array, size: number): number
  programFd(program: Pointer): number
  programAttach(program: Pointer): Pointer | null
  linkPin(link: Pointer, path: string): number
  linkOpen(path: string): Pointer | null
  linkFd(link: Pointer): number
  linkDisconnect(link: Pointer): void
  linkDestroy: Async<number>
  mapName(map: Pointer): string
  mapFd(map: Pointer): number
  mapIsInternal(map: Pointer): boolean
  mapSetMaxEntries(map: Pointer, count: number): number
  update(fd: number, key: ArrayBufferView, value: ArrayBufferView, flags: number): number
  lookup(fd: number, key: ArrayBufferView, value: ArrayBufferView): number
  remove(fd: number, key: ArrayBufferView): number
  nextKey(fd: number, key: ArrayBufferView | null, next: ArrayBufferView): number
  objPin(fd: number, path: string): number
  objGet(path: string): number
  infoByFd(fd: number, info: Uint8Array, length: Uint32Array): number
  progFdById(id: number): number
  progRun(fd: number, options: ArrayBuffer): number
  progLoad(type: number, name: string, license: string, insns: Uint8Array, count: number, options: null): number
  possibleCpus(): number
}

const bound = new Map<string, Libbpf>()

/** Binds libbpf. A failure is the dynamic linker's own sentence. */
export function openLibbpf(name: string = LIBBPF): { readonly ok: true; readonly lib: Libbpf } | { readonly ok: false; readonly why: string } {
  const known = bound.get(name)
  if (known !== undefined) return { ok: true, lib: known }
  try {
    const lib = bind(koffi(), name)
    bound.set(name, lib)
    return { ok: true, lib }
  } catch (error) {
    return { ok: false, why: error instanceof Error ? error.message : String(error) }
  }
}

function bind(k: Koffi, name: string): Libbpf {
  const lib = k.load(name)
  const options = k.struct({ sz: 'size_t', object_name: 'const char *' })
  const setPrint = lib.func('void *libbpf_set_print(void *fn)') as (fn: null) => void
  // Its default writes to stderr. The verifier's words are taken from a log buffer of our own instead (load.ts).
  setPrint(null)
  const destroy = lib.func('int bpf_link__destroy(void *link)')
  const calls = {
    errno: () => k.errno(),
    address: (buffer: ArrayBuffer) => k.address(buffer),
    objectOpenMem: lib.func('bpf_object__open_mem', 'void *', ['const void *', 'size_t', k.pointer(options)]),
    objectLoad: lib.func('int bpf_object__load(void *obj)'),
    objectClose: lib.func('void bpf_object__close(void *obj)'),
    objectNextProgram: lib.func('void *bpf_object__next_program(const void *obj, void *prog)'),
    objectNextMap: lib.func('void *bpf_object__next_map(const void *obj, const void *map)'),
    programName: lib.func('const char *bpf_program__name(const void *prog)'),
    programSection: lib.func('const char *bpf_program__section_name(const void *prog)'),
    programAutoload: lib.func('bool bpf_program__autoload(const void *prog)'),
    programSetAutoload: lib.func('int bpf_program__set_autoload(void *prog, bool autoload)'),
    programSetLogBuf: lib.func('int bpf_program__set_log_buf(void *prog, void *log_buf, size_t log_size)'),
    programFd: lib.func('int bpf_program__fd(const void *prog)'),
    programAttach: lib.func('void *bpf_program__attach(const void *prog)'),
    linkPin: lib.func('int bpf_link__pin(void *link, const char *path)'),
    linkOpen: lib.func('void *bpf_link__open(const char *path)'),
    linkFd: lib.func('int bpf_link__fd(const void *link)'),
    linkDisconnect: lib.func('void bpf_link__disconnect(void *link)'),
    linkDestroy: destroy.async,
    mapName: lib.func('const char *bpf_map__name(const void *map)'),
    mapFd: lib.func('int bpf_map__fd(const void *map)'),
    mapIsInternal: lib.func('bool bpf_map__is_internal(const void *map)'),
    mapSetMaxEntries: lib.func('int bpf_map__set_max_entries(void *map, uint32_t max_entries)'),
    update: lib.func('int bpf_map_update_elem(int fd, const void *key, const void *value, uint64_t flags)'),
    lookup: lib.func('int bpf_map_lookup_elem(int fd, const void *key, void *value)'),
    remove: lib.func('int bpf_map_delete_elem(int fd, const void *key)'),
    nextKey: lib.func('int bpf_map_get_next_key(int fd, const void *key, void *next_key)'),
    objPin: lib.func('int bpf_obj_pin(int fd, const char *pathname)'),
    objGet: lib.func('int bpf_obj_get(const char *pathname)'),
    infoByFd: lib.func('int bpf_obj_get_info_by_fd(int fd, void *info, void *info_len)'),
    progFdById: lib.func('int bpf_prog_get_fd_by_id(uint32_t id)'),
    progRun: lib.func('int bpf_prog_test_run_opts(int fd, void *opts)'),
    progLoad: lib.func('int bpf_prog_load(int type, const char *name, const char *license, const void *insns, size_t count, const void *opts)'),
    possibleCpus: lib.func('int libbpf_num_possible_cpus()'),
  }
  return calls
}
