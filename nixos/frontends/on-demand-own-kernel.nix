# Whether each job of a class of runners on demand has a machine with a kernel of its own.
class: class.ec2 != null || (class.incus != null && class.incus.virtualMachine)
