// Package files reads and changes the files of volumes, which programs in containers own and change at
// the same time.
//
// What it promises, whatever a program does to its volume meanwhile:
//
//   - Nothing outside of the volume is read, written, removed or named: each access goes through the
//     os.Root of the volume, or is made by name in a directory that was opened through it and
//     follows no link there.
//   - No device, pipe or socket is opened, but for the moment in which one takes the place of a file that was
//     just looked at; it is then closed unread. Nothing waits for a pipe or for a lease.
//   - A file is written whole or not at all: under another name, synced, and renamed.
//   - What is made belongs to the user of the volume's containers; what replaces a file keeps its
//     owner and mode. No file is made set-uid or set-gid.
//   - A write ends with a NoRoomError before it makes the disk low, or the volume exceed its quota.
//   - A list takes memory for one page, and reads one directory.
//
// What is not whole yet is in the directory ".lightd" at the top of the volume, which no list shows. Clear
// removes what a daemon that was killed has left there.
package files
