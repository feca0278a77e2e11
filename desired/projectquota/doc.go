// Package projectquota bounds directories by the project quotas of the Linux kernel, on ext4 and XFS.
//
// A project is a number that each file of the file system can carry. A directory gives its own to what is
// made in it (FS_XFLAG_PROJINHERIT), the kernel counts what all files of a project take of the disk, and
// refuses a write beyond the limit of the project: EDQUOT on ext4, ENOSPC on XFS.
//
// Which ids there are: Choose takes one at random from First to Last, 2^30 of them, of which the kernel
// counts nothing and knows no limit. Others on the same file system number from small ids (Docker's
// overlay2 from that of its own directory, kubelet from 1048577, people in /etc/projid by hand), and another
// daemon of ours has other random ones; /etc/projid is neither read nor written, as nothing here has a name.
//
// What it needs: Linux 5.14 (quotactl_fd), ext4 with the features quota and project or XFS, mounted with
// prjquota, and a process with CAP_SYS_ADMIN. A file that its owner takes out of its project counts no
// longer: in the initial user namespace the kernel lets the owner do that. Mark puts it back.
package projectquota
