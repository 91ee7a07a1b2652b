// The dashboard "Agent behaviour". agent-behaviour.json is made of this: node scripts/launch.cjs dashboards/write.ts

import { PanelBuilder as BarGauge } from '@grafana/grafana-foundation-sdk/bargauge'
import { LogsSortOrder } from '@grafana/grafana-foundation-sdk/common'
import {
  type Dashboard,
  DashboardBuilder,
  DatasourceVariableBuilder,
  MappingType,
  QueryVariableBuilder,
  RowBuilder,
  TextBoxVariableBuilder,
  type ValueMapping,
  VariableRefresh,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { PanelBuilder as Logs } from '@grafana/grafana-foundation-sdk/logs'
import { DataqueryBuilder as LokiQuery } from '@grafana/grafana-foundation-sdk/loki'
import { DataqueryBuilder as PrometheusQuery } from '@grafana/grafana-foundation-sdk/prometheus'
import { PanelBuilder as Stat } from '@grafana/grafana-foundation-sdk/stat'
import { PanelBuilder as TimeSeries } from '@grafana/grafana-foundation-sdk/timeseries'
import type { Kind } from '../src/model/observation.ts'
import type { AttributeName } from '../src/shape/registry.ts'
import { CALLS, countBy, countOrUnseen, DURATION, entries, field, line, NOT_OBSERVABLE } from './queries.ts'

const LOGS = { type: 'loki', uid: '$logs' }
const METRICS = { type: 'prometheus', uid: '$metrics' }
const RANGE = '$__range'
const STEP = '$__auto'

const agent = `${field('gen_ai.agent.name')}=~"$agent"`
const succeeded = `${field('error.type')}=""`
const sessions = entries(['session.start'], agent)
const toolCalls = entries(['spoor.tool_call.end'], agent)
const programs = entries(['spoor.process.exec'])
const changes = entries(['spoor.file.change', 'spoor.file.open'], `${field('spoor.file.access')}!="read"`, succeeded)
const sensitive = entries(['spoor.file.open'], `${field('spoor.file.sensitivity')}!=""`, `${field('spoor.file.access')}=~"read|read_write"`, succeeded)
const outgoing = entries(['spoor.network.connect'])
const ended = entries(['spoor.network.end'])

const count = (selected: string): string => `sum(count_over_time(${selected} [${RANGE}]))`
const notObservable: ValueMapping = { type: MappingType.ValueToText, options: { [NOT_OBSERVABLE]: { text: 'not observable', color: 'text' } } }

const instant = (expr: string, legend = ''): LokiQuery => new LokiQuery().expr(expr).queryType('instant').legendFormat(legend).refId('A')
const range = (expr: string, legend = ''): LokiQuery => new LokiQuery().expr(expr).queryType('range').legendFormat(legend).refId('A')
const legend = (...names: AttributeName[]): string => names.map((name) => `{{${field(name)}}}`).join(' ')

const number = (title: string, description: string, expr: string, unit = 'short'): Stat =>
  new Stat().title(title).description(description).datasource(LOGS).mappings([notObservable]).unit(unit).withTarget(instant(expr)).height(4).span(4)
/** A number that is "not observable" where the sensor cannot see such acts. */
const seen = (title: string, description: string, expr: string, kind: Kind, unit = 'short'): Stat => number(title, description, countOrUnseen(expr, kind), unit)
const bars = (title: string, description: string, expr: string, label: string): BarGauge =>
  new BarGauge().title(title).description(description).datasource(LOGS).withTarget(instant(expr, label)).height(8).span(8)
const lines = (title: string, description: string, expr: string): Logs =>
  new Logs().title(title).description(description).datasource(LOGS).withTarget(range(expr).maxLines(200)).showTime(true).sortOrder(LogsSortOrder.Descending).height(9).span(24)

export function agentBehaviour(): Dashboard {
  const dashboard = new DashboardBuilder('Agent behaviour')
    .uid('spoor-agent-behaviour')
    .description('What AI agents did on the machines that Spoor watches: who asked, what ran, what was touched, what left.')
    .tags(['spoor', 'ai-agents'])
    .time({ from: 'now-6h', to: 'now' })
    .refresh('1m')
    .editable()
    .withVariable(new DatasourceVariableBuilder('logs').label('Logs').type('loki'))
    .withVariable(new DatasourceVariableBuilder('metrics').label('Metrics').type('prometheus'))
    .withVariable(
      new QueryVariableBuilder('agent')
        .label('Agent')
        .datasource(METRICS)
        .query(`label_values(${CALLS}, ${field('gen_ai.agent.name')})`)
        .refresh(VariableRefresh.OnTimeRangeChanged)
        .multi(true)
        .includeAll(true)
        .allValue('.*'),
    )
    .withVariable(new TextBoxVariableBuilder('session').label('Session id (expression)').defaultValue('.*'))
    .withRow(new RowBuilder('In numbers'))
    .withPanel(seen('Sessions', 'Runs of agents and recorded commands that began in this time.', count(sessions), 'exec'))
    .withPanel(number('Tool calls', 'Tool calls that ended: declared ones, and trees of processes that no claim names.', `${count(toolCalls)} or vector(0)`))
    .withPanel(seen('Programs run', 'Every exec of an agent and of all processes below it.', count(programs), 'exec'))
    .withPanel(
      seen(
        'Changes of files',
        'First writes of a process to a file, and renames, deletions and the like. What came in bulk is in roll-ups and not counted here.',
        count(changes),
        'change',
      ),
    )
    .withPanel(seen('Reads of sensitive files', 'Keys, credentials, histories, configurations of agents: the first read of each by a process.', count(sensitive), 'open'))
    .withPanel(seen('Connections out', 'Outgoing connections, those to this machine too.', count(outgoing), 'connect'))
    .withRow(new RowBuilder('Who asked'))
    .withPanel(
      lines(
        'Sessions as they began',
        'Each run of an agent: by whom, from where, with which arguments.',
        `${sessions} | ${line('{} from {} {}: {} in {}: {}', 'user.name', 'spoor.origin', 'spoor.origin_via', 'gen_ai.agent.name', 'process.working_directory', 'process.command_args')}`,
      ),
    )
    .withRow(new RowBuilder('What it did'))
    .withPanel(
      new TimeSeries()
        .title('Tool calls by verdict')
        .description('What the agent said beside what was seen. not_observable: this agent makes no claim that could be joined.')
        .datasource(LOGS)
        .withTarget(range(countBy(['spoor.verdict'], toolCalls, STEP), legend('spoor.verdict')))
        .height(8)
        .span(8),
    )
    .withPanel(
      new TimeSeries()
        .title('Duration of tool calls, 95 %')
        .description('From the span metrics of the Collector.')
        .datasource(METRICS)
        .unit('s')
        .withTarget(
          new PrometheusQuery()
            .expr(`histogram_quantile(0.95, sum by (le, ${field('gen_ai.tool.name')}) (rate(${DURATION}{${agent}, ${field('gen_ai.tool.name')}!=""}[$__rate_interval])))`)
            .range()
            .legendFormat(legend('gen_ai.tool.name'))
            .refId('A'),
        )
        .height(8)
        .span(8),
    )
    .withPanel(
      new BarGauge()
        .title('Tool calls by agent and verdict, all in all')
        .description('From the span metrics of the Collector, since it began to count.')
        .datasource(METRICS)
        .withTarget(
          new PrometheusQuery()
            .expr(`sum by (${field('gen_ai.agent.name')}, ${field('gen_ai.tool.name')}, ${field('spoor.verdict')}) (${CALLS}{${agent}, ${field('gen_ai.tool.name')}!=""})`)
            .instant()
            .legendFormat(legend('gen_ai.agent.name', 'gen_ai.tool.name', 'spoor.verdict'))
            .refId('A'),
        )
        .height(8)
        .span(8),
    )
    .withPanel(bars('Programs', 'The ten that ran most often.', `topk(10, ${countBy(['process.executable.name'], programs, RANGE)})`, legend('process.executable.name')))
    .withPanel(
      bars('Changes by kind', 'Without those in roll-ups. No name: the first write of a file.', countBy(['spoor.file.operation'], changes, RANGE), legend('spoor.file.operation')),
    )
    .withPanel(bars('Sensitive reads by class', 'See docs/schema.md for the classes.', countBy(['spoor.file.sensitivity'], sensitive, RANGE), legend('spoor.file.sensitivity')))
    .withPanel(
      lines(
        'Programs as they ran',
        'Every exec with its arguments; secrets are taken out before anything leaves the machine.',
        `${programs} | ${line('{} {} as user {} in {}', 'spoor.process.role', 'process.command_args', 'process.user.id', 'process.working_directory')}`,
      ),
    )
    .withPanel(lines('Sensitive files', 'Who read what of value.', `${sensitive} | ${line('{} read {} ({})', 'process.executable.name', 'file.path', 'spoor.file.sensitivity')}`))
    .withRow(new RowBuilder('What left the machine'))
    .withPanel(
      bars(
        'Peers',
        'The ten that were called most often.',
        `topk(10, ${countBy(['network.peer.address', 'network.peer.port'], outgoing, RANGE)})`,
        legend('network.peer.address', 'network.peer.port'),
      ),
    )
    .withPanel(
      seen('Bytes sent', 'By connections that ended in this time.', `sum(sum_over_time(${ended} | unwrap ${field('spoor.network.bytes_out')} [${RANGE}]))`, 'sock.end', 'bytes')
        .height(8)
        .span(4),
    )
    .withPanel(
      seen('Bytes received', 'By connections that ended in this time.', `sum(sum_over_time(${ended} | unwrap ${field('spoor.network.bytes_in')} [${RANGE}]))`, 'sock.end', 'bytes')
        .height(8)
        .span(4),
    )
    .withPanel(
      bars(
        'Bytes sent by program',
        'The ten that sent most.',
        `topk(10, sum by (${field('process.executable.name')}) (sum_over_time(${ended} | unwrap ${field('spoor.network.bytes_out')} [${RANGE}])))`,
        legend('process.executable.name'),
      ),
    )
    .withPanel(
      lines(
        'Connections',
        'Every connection when it ended.',
        `${ended} | ${line('{} to {} {}: {} bytes out, {} in', 'process.executable.name', 'network.peer.address', 'network.peer.port', 'spoor.network.bytes_out', 'spoor.network.bytes_in')}`,
      ),
    )
    .build()
  for (const [index, panel] of (dashboard.panels ?? []).entries()) panel.id = index + 1
  return dashboard
}
