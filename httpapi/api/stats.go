package api

import (
	"time"

	"lightd/desired"
	"lightd/observed"
	"lightd/observed/status"
)

// Stats are what a container uses.
type Stats struct {
	InternalID string       `json:"internal_id"`
	State      status.State `json:"state"`
	// StartedAt is when the process was started, and Uptime since how many seconds it runs; neither is
	// there while none runs.
	StartedAt time.Time `json:"started_at,omitzero"`
	Uptime    int64     `json:"uptime,omitzero"`
	Restarts  int       `json:"restarts"`
	// Usage is null while no process runs, and where it cannot be measured.
	Usage *Usage `json:"usage"`
	// Disk is null before the volume was measured for the first time since the daemon began, which a GET of
	// the volume does.
	Disk *DiskUsage `json:"disk"`
}

// DiskUsage is what the files of a volume had when they were last measured.
type DiskUsage struct {
	VolumeBytes int64     `json:"volume_bytes"`
	MeasuredAt  time.Time `json:"measured_at"`
	// Age is how old the figure is, in seconds.
	Age float64 `json:"age"`
}

// Usage are the figures of a running process and all its children.
type Usage struct {
	observed.Stats
	MeasuredAt time.Time `json:"measured_at"`
	// Age is how old the figures are, in seconds.
	Age float64 `json:"age"`
}

// Node is the machine of a daemon, with what its containers may use of it.
type Node struct {
	// Version is the daemon's own, Instance the id of its data directory.
	Version  string     `json:"version"`
	Instance string     `json:"instance"`
	Engine   NodeEngine `json:"engine"`
	Kernel   string     `json:"kernel"`
	// LoadAverage is that of the last minute.
	LoadAverage float64  `json:"load_average"`
	Cores       Capacity `json:"cores"`
	Memory      Capacity `json:"memory"`
	Disks       []Disk   `json:"disks"`
	// Volumes is what volumes may take of the disk of the data directory.
	Volumes NodeVolumes `json:"volumes"`
	// Containers are how many there are, in all and by state.
	Containers int                  `json:"containers"`
	States     map[status.State]int `json:"states"`
	// Cordon is null while the node is in service.
	Cordon *Cordon `json:"cordon"`
}

// Cordon is the maintenance of a node.
type Cordon struct {
	desired.Cordon
	// Drained is true once a drain has found nothing left that runs.
	Drained bool `json:"drained"`
	// Running is how many processes and install scripts run, without those of paused containers, which a drain leaves
	// alone; Held how many containers wait for the end of the cordon.
	Running int `json:"running"`
	Held    int `json:"held"`
	// Remaining is what a drain waits for, or would wait for. A daemon from before there was this member sends none.
	Remaining Remaining `json:"remaining"`
}

// MaxRemaining is how many containers Remaining names.
const MaxRemaining = 100

// Remaining are the containers that may have a process or an install script that runs.
type Remaining struct {
	Count int `json:"count"`
	// Containers are the first of them in the order of their ids, at most MaxRemaining.
	Containers []status.DrainHolder `json:"containers"`
}

// NodeVolumes is how much of the disk volumes take and may take, in bytes.
type NodeVolumes struct {
	Count int `json:"count"`
	// Used is what those take that were measured since the daemon began.
	Used int64 `json:"used"`
	// Promised adds up the quotas; Unlimited is how many have none.
	Promised  int64 `json:"promised"`
	Unlimited int   `json:"unlimited"`
}

// NodeEngine is the Docker engine of a daemon. While it is not up the others are what is known from before.
type NodeEngine struct {
	Up         bool   `json:"up"`
	Version    string `json:"version"`
	APIVersion string `json:"api_version"`
	// Cgroup is "1" or "2", Storage the storage driver; empty where they are not known.
	Cgroup  string `json:"cgroup"`
	Storage string `json:"storage"`
}

// Capacity is how much there is of something, in cores or bytes.
type Capacity struct {
	Total float64 `json:"total"`
	// Used is what everything on the machine uses now; absent of cores, which have the load average.
	Used float64 `json:"used,omitzero"`
	// Promised adds up the limits of the containers; Unlimited is how many have none.
	Promised  float64 `json:"promised"`
	Unlimited int     `json:"unlimited"`
}

// Disk is a file system.
type Disk struct {
	// Purpose is what Lightd or the engine keeps there.
	Purpose string `json:"purpose"`
	Path    string `json:"path"`
	Total   int64  `json:"total"`
	// Available is what is left for everybody but root.
	Available int64 `json:"available"`
}
