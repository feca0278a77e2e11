package containers

import (
	"fmt"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/httpapi/api"
	"lightd/httpapi/auth"
	"lightd/httpapi/strictjson"
)

// resources are what an apply has made for its containers.
type resources struct {
	volumes []desired.Action // of those of the list
	ports   int              // how many of them are new
}

// bindVolume reads one volume of an apply. A quota that is null is none.
func bindVolume(object strictjson.Object, v *api.ApplyVolume) error {
	if object.IsNull("quota_bytes") {
		v.QuotaBytes = new(int64)
	}
	return object.Bind(v)
}

// bindResources reads the volumes and the ports of an apply.
func (l *list) bindResources(volumes []api.ApplyVolume, ports []desired.PortRange) error {
	var faults desired.ErrorList
	if len(volumes) > MaxSpecs {
		return desired.Invalid("volumes", fmt.Sprintf("must have at most %d entries", MaxSpecs))
	}
	seen := map[string]bool{}
	for i, v := range volumes {
		switch field := fmt.Sprintf("volumes[%d].volume_id", i); {
		case !desired.ValidVolumeID(v.VolumeID):
			faults.Take(desired.Invalid(field, "must be a UUID in lower case"))
		case seen[v.VolumeID]:
			faults.Take(desired.Invalid(field, "is given twice"))
		case v.QuotaBytes != nil:
			faults.Take(desired.ValidateVolumeQuota(fmt.Sprintf("volumes[%d].quota_bytes", i), *v.QuotaBytes))
		}
		seen[v.VolumeID] = true
		l.volumes = append(l.volumes, store.VolumeRequest{ID: v.VolumeID, Quota: v.QuotaBytes})
	}
	for i, r := range ports {
		eps, err := r.Endpoints()
		if err != nil {
			faults.Take(desired.AtField(fmt.Sprintf("ports[%d]", i), err))
		}
		for _, e := range eps {
			if err := e.Validate(); err != nil {
				faults.Take(desired.AtField(fmt.Sprintf("ports[%d]", i), err))
				break
			}
		}
		l.ports = append(l.ports, eps...)
		if len(l.ports) > store.MaxPoolChange {
			return desired.Invalid("ports", fmt.Sprintf("must be at most %d in one request", store.MaxPoolChange))
		}
	}
	return faults.Err("ports")
}

// ensure makes in a transaction what the containers of l need.
func (l list) ensure(tx *store.Tx, volumes *store.NewVolumes, who *auth.Caller) (made resources, err error) {
	if len(l.ports) > 0 {
		if made.ports, err = tx.EnsurePorts(l.ports); err != nil {
			return made, err
		}
	}
	made.volumes, err = volumes.Ensure(tx, who.Creator())
	return made, err
}

// report is what was made, for the answer.
func (l list) report(made resources) (a api.Applied) {
	for i, volume := range l.volumes {
		a.Volumes = append(a.Volumes, api.AppliedVolume{VolumeID: volume.ID, Action: made.volumes[i]})
	}
	if len(l.ports) > 0 {
		a.Ports = &api.AppliedPorts{Created: made.ports, Unchanged: len(l.ports) - made.ports}
	}
	return a
}
