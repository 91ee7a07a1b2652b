import { linuxEbpf } from '../../collectors/linux-ebpf/index.ts'
import type { Sensor } from '../model/sensor.ts'

/** The ladder of sensors, best rung first: the only file that names them. */
export const SENSORS: readonly Sensor[] = [linuxEbpf]
