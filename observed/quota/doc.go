// Package quota finds out which volumes are over their quotas.
//
// What it promises:
//
//   - Where the kernel enforces a quota (see package projectquota of desired), its count is read every 10 s. A
//     volume is over then when it is full: from 256 KiB, or 1 %, below its quota on. Its files are looked
//     through once an hour for those that a program has taken out of the count.
//   - Elsewhere each volume with a quota is measured file by file, again after 200 times as long as that takes, from 10 s
//     to a minute, one volume after the other; the walks take a tenth of the time of one core at most (a single one
//     rests a minute at most). What is written through Lightd in between is added; a write that there is no room for then
//     has its volume measured at once, as something may be gone since: another tenth at most, 2 s for one.
//   - What changes is told by Changed: a volume is over, is well below (95 % of the quota), or in between.
//     Who keeps what was said before can leave it in between: nothing flaps at the quota.
//   - A volume with more files than are walked through is over its quota; one that cannot be measured stays as it was.
//
// # Quotas of volumes
//
// A quota bounds what the files of a volume take of the disk: their blocks, directories too, a file with
// several names once (used_bytes, beside quota_bytes). It is at least 1 MiB:
//
//	lightd volume quota 61c98fc8-0dcd-4226-b14e-29122f3e1626 10Gi
//	lightd volume quota 61c98fc8-0dcd-4226-b14e-29122f3e1626 none
//	lightd volume list
//
// In the API it is quota_bytes of PUT /volumes/:id and POST /volumes, and of the volumes of an apply, where a
// manifest may write 10Gi; 0 or null is none, and a body without it leaves the quota as it is. A token for
// some containers sees it, and cannot change it, not even of a volume that it has made itself.
//
// How it is kept depends on the file system of the volumes; "lightd check" says which it is:
//
//   - Enforced by the kernel, by project quotas: on ext4 with the features quota and project, or on XFS,
//     mounted with prjquota, from Linux 5.14 on. What exceeds the quota is refused to the program: "Disk
//     quota exceeded" on ext4, "No space left on device" on XFS. size_bytes is the kernel's count. Make it by
//     "mkfs.ext4 -O quota,project -E quotatype=prjquota DEVICE", "tune2fs -O quota,project -Q prjquota
//     DEVICE" (unmounted) or "mkfs.xfs DEVICE", and mount it with "-o prjquota".
//   - Measured everywhere else: the files are added up every 10 s, or where there are many every minute or later.
//     A program that writes fast takes more meanwhile, and a file that is deleted while a program has it open
//     is not seen. A write of the API that there is no room for has the volume measured again first, where
//     that takes less than 2 s: what was deleted a moment ago counts no more.
//
// A volume over its quota, or full where the kernel enforces it, shows in the condition QuotaExceeded of its
// containers: True with OverQuota, False with WithinQuota, Unknown with NotMeasured. It ends at less than 95 % of
// the quota, so that nothing flaps. Its changes are the events QuotaExceeded and QuotaRecovered.
//
// What else happens is quota_exceeded of a container:
//
//	tell  nothing: the program goes on (the default)
//	stop  its process is stopped as the spec says of a stop, and nothing
//	      starts it: power stays as it is, a start or restart is taken and
//	      waits. Started and Running are False with OverQuota. Once the
//	      volume is below 95 % of its quota, or the quota is ended, it
//	      starts by itself.
//
// quota_exceeded is a field of the spec: whoever may write that decides. Where tenants do, only the kernel holds
// them to a quota. Installations go on in both cases. A quota that an existing volume gets is enforced after a walk through its
// files, in the background; the same walk is made every hour, as the kernel lets the owner of a file take it out of
// its project where the engine does not map users. Sockets, pipes and links from before the quota cannot be
// put into the project: the kernel refuses to rename those (EXDEV).
//
// The projects are random ids from 1073741824 to 2147483647 that the kernel counts nothing for; /etc/projid is
// neither read nor written. GET /node has the sum of the quotas as volumes.promised beside what is used.
package quota

import _ "embed"

// Doc is the source of this file. "lightd docs" prints its reference: the quotas of volumes.
//
//go:embed doc.go
var Doc string
