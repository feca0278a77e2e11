package plan

import "lightd/observed/status"

// Kind names a step. Each maps to one effect.
type Kind string

// The kinds of step.
const (
	PullImage              Kind = "PullImage"
	CreateInstallContainer Kind = "CreateInstallContainer"
	StartInstallScript     Kind = "StartInstallScript"
	MeasureInstallation    Kind = "MeasureInstallation"
	KillInstallScript      Kind = "KillInstallScript"
	KeepInstallation       Kind = "KeepInstallation"
	SaveInstallOutput      Kind = "SaveInstallOutput"
	RemoveInstallContainer Kind = "RemoveInstallContainer"
	RestoreSnapshot        Kind = "RestoreSnapshot"
	LoadSnapshot           Kind = "LoadSnapshot"
	WriteEntrypoint        Kind = "WriteEntrypoint"
	CheckHost              Kind = "CheckHost"
	CreateContainer        Kind = "CreateContainer"
	UpdateLimits           Kind = "UpdateLimits"
	StartContainer         Kind = "StartContainer"
	VerifyMounts           Kind = "VerifyMounts"
	UnpauseContainer       Kind = "UnpauseContainer"
	RenameContainer        Kind = "RenameContainer"
	StopContainer          Kind = "StopContainer"
	KillContainer          Kind = "KillContainer"
	RemoveContainer        Kind = "RemoveContainer"
	ReleasePorts           Kind = "ReleasePorts"
	Finalize               Kind = "Finalize"
)

// Class groups kinds of step that compete for the same part of the engine.
type Class string

// The classes of step.
const (
	ClassStart    Class = "start"
	ClassCreate   Class = "create"
	ClassRemove   Class = "remove"
	ClassSnapshot Class = "snapshot"
	ClassMeasure  Class = "measure"
	ClassLight    Class = "light"
	// ClassUnlimited has no bound: a kill queues behind nothing.
	ClassUnlimited Class = ""
)

// Refusal is which errors of a step end the attempts for a generation of the spec.
type Refusal int

// The rules for a refusal.
const (
	// RefusalIsTransient is the zero value: the step is tried again.
	RefusalIsTransient Refusal = iota
	// RefusalIsTerminal is for a creation, which the engine refuses because of the spec.
	RefusalIsTerminal
	// SpecFaultIsTerminal is for a start, which the engine refuses for many things, of which few
	// are certainly the spec's.
	SpecFaultIsTerminal
)

// Traits are what the controller needs of a kind of step besides how to execute it.
type Traits struct {
	Class Class
	// Mutates is true when the step changes what the engine shows of a container, so that an
	// observation from before its end is worth nothing.
	Mutates bool
	Refusal Refusal
	// OwnPace is true when the step leaves every observation as it is and is repeated at a pace
	// of its own: a success without effect is no sign of a loop.
	OwnPace bool
	// Drift is true when the step, taken on a container that was in sync, means that it no longer
	// is. The end and the loss of a container have events of their own.
	Drift bool
	// Cordoned is true when the step is taken on a cordoned node too: it starts nothing, and takes nothing away that
	// would have to be made again. Those that end a process are decided on one by one.
	Cordoned bool
	// unrecorded reports whether the step may be executed though its intent could not be recorded:
	// a daemon that starts afterwards finds what it left, and at worst does it again. Nil is never.
	unrecorded func(status.Status) bool
}

// kinds has a row for each kind of step. A new kind needs one here, a decision that chooses it with a
// case in recordIntent if it must happen once only, a case in the simulation and one in the execution.
var kinds = map[Kind]Traits{
	PullImage:              {Class: ClassUnlimited, OwnPace: true},
	CreateInstallContainer: {Class: ClassCreate, Mutates: true, Refusal: RefusalIsTerminal},
	StartInstallScript:     {Class: ClassStart, Mutates: true, Refusal: SpecFaultIsTerminal},
	MeasureInstallation:    {Class: ClassMeasure, Cordoned: true, OwnPace: true, unrecorded: always},
	KillInstallScript:      {Class: ClassUnlimited, Cordoned: true, Mutates: true, unrecorded: fillsDisk},
	KeepInstallation:       {Class: ClassSnapshot, Cordoned: true},
	SaveInstallOutput:      {Class: ClassSnapshot, Cordoned: true, unrecorded: fillsDisk},
	RemoveInstallContainer: {Class: ClassRemove, Cordoned: true, Mutates: true, unrecorded: deletingOrFillsDisk},
	RestoreSnapshot:        {Class: ClassLight, Cordoned: true, Mutates: true, Drift: true},
	LoadSnapshot:           {Class: ClassUnlimited, OwnPace: true, Drift: true},
	WriteEntrypoint:        {Class: ClassLight, Cordoned: true, Drift: true},
	CheckHost:              {Class: ClassLight, OwnPace: true, Drift: true, unrecorded: always},
	CreateContainer:        {Class: ClassCreate, Mutates: true, Refusal: RefusalIsTerminal},
	UpdateLimits:           {Class: ClassLight, Mutates: true, Drift: true},
	StartContainer:         {Class: ClassStart, Mutates: true, Refusal: SpecFaultIsTerminal, unrecorded: outsideRestart},
	VerifyMounts:           {Class: ClassUnlimited, Cordoned: true, Mutates: true, unrecorded: always},
	UnpauseContainer:       {Class: ClassLight, Mutates: true, Drift: true, unrecorded: always},
	RenameContainer:        {Class: ClassLight, Mutates: true, Drift: true, unrecorded: always},
	StopContainer:          {Class: ClassUnlimited, Mutates: true, Drift: true, unrecorded: always},
	KillContainer:          {Class: ClassUnlimited, Mutates: true, Drift: true, unrecorded: always},
	RemoveContainer:        {Class: ClassRemove, Mutates: true, Drift: true, unrecorded: deleting},
	ReleasePorts:           {Class: ClassLight, Cordoned: true, unrecorded: always},
	Finalize:               {Class: ClassRemove, Cordoned: true, Mutates: true, unrecorded: always},
}

func always(status.Status) bool            { return true }
func deleting(st status.Status) bool       { return st.Deleting }
func outsideRestart(st status.Status) bool { return st.Restarting == nil }

// fillsDisk reports whether an installation has failed for what it wrote: the room that a record lacks
// may be what its container has.
func fillsDisk(st status.Status) bool { return st.Install.WroteTooMuch() }

func deletingOrFillsDisk(st status.Status) bool { return deleting(st) || fillsDisk(st) }

// Traits returns the traits of a kind. An unknown kind has none.
func (k Kind) Traits() Traits { return kinds[k] }

// AllowedUnrecorded reports whether the step may be executed on st without a record of it.
func (s Step) AllowedUnrecorded(st status.Status) bool {
	fn := kinds[s.Kind].unrecorded
	return fn != nil && fn(st)
}
