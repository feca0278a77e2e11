package api

// The trailers of a container's output as text: the position behind it, from where another
// request goes on, and why it ended, where more could have come.
const (
	TrailerPosition = "Lightd-Position"
	TrailerEnd      = "Lightd-End"
)

// MessageKind says what a message of a WebSocket is about; its `event` member.
type MessageKind string

// The messages of the server.
const (
	MessageWord      MessageKind = "event"
	MessageLifecycle MessageKind = "lifecycle"
	MessageConsole   MessageKind = "console"
	MessageLogs      MessageKind = "logs"
	MessageStats     MessageKind = "stats"
	MessageDaemon    MessageKind = "daemon_message"
)

// The messages of the client.
const (
	SendCommand MessageKind = "send_command"
	Resize      MessageKind = "resize"
	Power       MessageKind = "power"
	RequestLogs MessageKind = "request_logs"
	Auth        MessageKind = "auth"
)

// Word is the data of an `event` message: the state of a container in one word.
type Word string

// The words.
const (
	Installing Word = "installing"
	Installed  Word = "installed"
	Failed     Word = "failed"
	Starting   Word = "starting"
	Running    Word = "running"
	Stopping   Word = "stopping"
	Exit       Word = "exit"
)
