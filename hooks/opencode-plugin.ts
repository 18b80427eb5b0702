// The fence inside OpenCode: before a tool changes a file, git-aio is asked whether somebody else holds it.
// Written by `git aio init --agents`, taken back by `git aio init --undo`.
// It stands aside where git-aio is not installed. If git-aio fails, the tool is stopped, with what git-aio said.

import { spawn } from 'node:child_process'

/** How long git-aio is waited for, in milliseconds. */
const PATIENCE = 10_000

/** What git-aio answers; `undefined` where it is not installed. */
function ask(question: object, cwd: string): Promise<any> {
  return new Promise((resolve, reject) => {
    const child = spawn('git-aio', ['hook', 'opencode'], { cwd })
    const late = setTimeout(() => {
      child.kill()
      reject(new Error('git-aio gave no answer in time'))
    }, PATIENCE)
    const said = { out: '', err: '' }
    child.stdout.on('data', (data) => (said.out += data))
    child.stderr.on('data', (data) => (said.err += data))
    child.on('error', (error: any) => {
      clearTimeout(late)
      if (error.code === 'ENOENT') resolve(undefined)
      else reject(error)
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

export const GitAio = async ({ directory }: any) => {
  /** What is to be told in a session with what its next tool puts out. */
  const pending = new Map<string, string[]>()

  /** Tells git-aio of what happened. That it can't be told stops nothing. */
  const tell = async (question: any) => {
    const answer = await ask({ ...question, cwd: directory }, directory).catch(() => undefined)
    const { sessionID } = question
    if (answer?.context) pending.set(sessionID, [...(pending.get(sessionID) ?? []), answer.context])
  }

  return {
    event: async ({ event }: any) => {
      const sessionID = event.properties?.info?.id ?? event.properties?.sessionID
      if (sessionID && ['session.created', 'session.idle', 'session.deleted'].includes(event.type)) {
        await tell({ event: event.type, sessionID })
      }
    },

    'tool.execute.before': async ({ tool, sessionID }: any, { args }: any) => {
      let answer: any
      try {
        answer = await ask({ event: 'tool.execute.before', sessionID, cwd: directory, tool, args }, directory)
      } catch (error: any) {
        throw new Error(`git-aio could not judge this, and so it is stopped: ${error.message}`)
      }
      if (answer?.deny) throw new Error(answer.deny)
      if (answer?.context) pending.set(sessionID, [...(pending.get(sessionID) ?? []), answer.context])
    },

    'tool.execute.after': async ({ tool, sessionID, args }: any, output: any) => {
      await tell({ event: 'tool.execute.after', sessionID, tool, args })
      const told = pending.get(sessionID)
      if (told && typeof output?.output === 'string') {
        output.output += `\n\n${told.join('\n')}`
        pending.delete(sessionID)
      }
    },

    // Commands of ours that the model runs in its shell know by this whose they are.
    'shell.env': async ({ sessionID }: any, output: any) => {
      if (sessionID) output.env.OPENCODE_SESSION_ID = sessionID
    },
  }
}
