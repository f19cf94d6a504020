// A bare relay on socket.io: no tokens, no permissions, nothing kept.
//
//     node skynet_relay.js FOLDER PORT
//
// FOLDER has the package: 0.9 speaks the wire of 2014, 4 today's. It knows as much of SkyNet as the load
// generator of the bench needs: `identity`, `subscribe` and `message`.
const [folder, port] = process.argv.slice(2)
const socketIo = require(folder)
const isOld = require(folder + '/package.json').version.startsWith('0.')
const server = require('http').createServer()
const io = isOld ? socketIo.listen(server, { log: false, transports: ['websocket'] }) : new socketIo.Server(server)
server.listen({ port: +port, host: '127.0.0.1', backlog: 4096 })

io.sockets.on('connection', socket => {
  let uuid
  socket.emit('identify', { socketid: socket.id })
  socket.on('identity', device => {
    uuid = device.uuid
    socket.join(uuid)
    socket.emit('ready', { status: 201, uuid })
  })
  socket.on('subscribe', (emitter, answer) => {
    socket.join(emitter.uuid + '_bc')
    answer({ result: true })
  })
  socket.on('message', sent => {
    const room = sent.devices === '*' ? uuid + '_bc' : sent.devices
    io.sockets.in(room).emit('message', { ...sent, fromUuid: uuid })
  })
})
