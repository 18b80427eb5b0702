// The fence inside OpenCode: before a tool changes a file, git-aio is asked whether somebody else holds it.
// Written by `git aio init --agents`, taken back by `git aio init --undo`.
// It stands aside where git-aio is not installed. If git-aio fails, the tool is stopped, with what git-aio said.

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'

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

export const GitAio = async ({ directory }: any) => {
  /** What is to be told in a session with what its next tool puts out. */
  const pending = new Map<string, string[]>()

  /** The session that gave a task its own. */
  const parents = new Map<string, string>()

  /** The session that a task is done for: whoever does it is the same to git-aio. */
  const root = (sessionID: string): string => {
    const seen = new Set<string>()
    while (parents.has(sessionID) && !seen.has(sessionID)) {
      seen.add(sessionID)
      sessionID = parents.get(sessionID)!
    }
    return sessionID
  }

  const remember = (sessionID: string, context?: string) => {
    if (context) pending.set(sessionID, [...(pending.get(sessionID) ?? []), context])
  }

  /** Tells git-aio of what happened. That it can't be told stops nothing. */
  const tell = async (sessionID: string, question: object) => {
    try {
      const answer = await ask({ ...question, sessionID: root(sessionID), cwd: directory }, directory)
      remember(sessionID, answer?.context)
    } catch {}
  }

  return {
    event: async ({ event }: any) => {
      const info = event.properties?.info
      const sessionID = info?.id ?? event.properties?.sessionID
      if (event.type.startsWith('session.') && info?.id && info.parentID) parents.set(info.id, info.parentID)
      // A task begins and ends within the session that gave it.
      if (!sessionID || parents.has(sessionID)) return
      if (['session.created', 'session.idle', 'session.deleted'].includes(event.type)) {
        await tell(sessionID, { event: event.type })
      }
    },

    'tool.execute.before': async ({ tool, sessionID }: any, { args }: any) => {
      const question = { event: 'tool.execute.before', sessionID: root(sessionID), cwd: directory, tool, args }
      let answer: any
      try {
        answer = await ask(question, directory)
      } catch (error: any) {
        throw new Error(`git-aio could not judge this, and so it is stopped: ${error.message}`)
      }
      if (answer?.deny) throw new Error(answer.deny)
      remember(sessionID, answer?.context)
    },

    'tool.execute.after': async ({ tool, sessionID, args }: any, output: any) => {
      await tell(sessionID, { event: 'tool.execute.after', tool, args })
      const told = pending.get(sessionID)
      if (told && typeof output?.output === 'string') {
        output.output += `\n\n${told.join('\n')}`
        pending.delete(sessionID)
      }
    },

    // Commands of ours that the model runs in its shell know by this whose they are.
    'shell.env': async ({ sessionID }: any, output: any) => {
      if (sessionID) output.env.OPENCODE_SESSION_ID = root(sessionID)
    },
  }
}
