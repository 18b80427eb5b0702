// The fence inside Amp: before a tool changes a file, git-aio is asked whether somebody else holds it.
// Written by `git aio init --agents`, taken back by `git aio init --undo`.
// It stands aside where git-aio is not installed. If git-aio fails, the tool is stopped, with what git-aio said.

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'

export const description = 'git-aio: claims on files that several agents share'

/** How long git-aio is waited for, in milliseconds. */
const PATIENCE = 10_000

/** What git-aio answers; `undefined` where it is not installed. */
function ask(question: object, cwd: string): Promise<any> {
  return new Promise((resolve, reject) => {
    const child = spawn('git-aio', ['hook', 'amp'], { cwd })
    const late = setTimeout(() => {
      child.kill()
      reject(new Error('git-aio gave no answer in time'))
    }, PATIENCE)
    const said = { out: '', err: '' }
    child.stdout.on('data', (data) => (said.out += data))
    child.stderr.on('data', (data) => (said.err += data))
    child.on('error', (error: any) => {
      clearTimeout(late)
      // A folder that is gone is told in the same way as a program that is not there.
      if (error.code !== 'ENOENT') reject(error)
      else if (existsSync(cwd)) resolve(undefined)
      else reject(new Error(`there is no folder ${cwd} any more`))
    })
    child.on('close', (code) => {
      clearTimeout(late)
      if (code !== 0) return reject(new Error(said.err.trim() || 'git-aio gave no answer'))
      try {
        resolve(JSON.parse(said.out || '{}'))
      } catch {
        reject(new Error('git-aio gave an answer that makes no sense'))
      }
    })
    child.stdin.on('error', () => {})
    child.stdin.end(JSON.stringify(question))
  })
}

export default function (amp: any) {
  /** What is to be told in a thread when the model is asked next. */
  const pending = new Map<string, string[]>()

  const remember = (event: any, message?: string) => {
    const thread = event.thread?.id
    if (message && thread) pending.set(thread, [...(pending.get(thread) ?? []), message])
  }

  const question = (event: any, kind: string) => {
    const files = (event.tool && amp.helpers?.filesModifiedByToolCall?.(event)) ?? []
    return {
      event: kind,
      thread: event.thread?.id,
      cwd: process.cwd(),
      tool: event.tool,
      input: event.input,
      files: files.map((file: any) => amp.helpers.filePathFromURI(file)),
    }
  }

  /** Tells git-aio of what happened, and keeps what it has to say. That it can't be told stops nothing. */
  const tell = async (event: any, kind: string) => {
    try {
      remember(event, (await ask(question(event, kind), process.cwd()))?.message)
    } catch (error: any) {
      amp.logger?.log(`git-aio: ${error.message}`)
    }
  }

  amp.on('session.start', (event: any) => tell(event, 'session.start'))

  amp.on('agent.start', async (event: any) => {
    await tell(event, 'agent.start')
    const told = pending.get(event.thread?.id)
    pending.delete(event.thread?.id)
    if (told) return { message: { content: told.join('\n'), display: true } }
  })

  amp.on('agent.end', (event: any) => tell(event, 'agent.end'))

  amp.on('tool.call', async (event: any) => {
    try {
      const answer = await ask(question(event, 'tool.call'), process.cwd())
      if (answer && answer.action !== 'allow') return answer
      // With what it allows Amp takes no words.
      remember(event, answer?.message)
      return { action: 'allow' }
    } catch (error: any) {
      return { action: 'reject-and-continue', message: `git-aio could not judge this, and so it is stopped: ${error.message}` }
    }
  })

  amp.on('tool.result', (event: any) => tell(event, 'tool.result'))
}
