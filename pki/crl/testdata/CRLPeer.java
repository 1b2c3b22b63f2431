import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.Date;

import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.CRLNumber;
import org.bouncycastle.asn1.x509.CRLReason;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.cert.X509CRLEntryHolder;
import org.bouncycastle.cert.X509CRLHolder;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.X509v2CRLBuilder;

/**
 * Makes and reads revocation lists with BouncyCastle's classes in the O'z DSt
 * and O'z MSt families. One question a line, one answer a line; octets are
 * base64, serial numbers hexadecimal, times milliseconds since 1970.
 *
 *   make FAMILY D ISSUER NUMBER THIS NEXT SERIAL:TIME:REASON:INVALID[,...]
 *        REASON is -1 for none, INVALID 0 for none       -> ok LIST
 *   read FAMILY ISSUER LIST SERIAL[,SERIAL...]
 *        -> ok SIGNED NUMBER ENTRIES ENTRY[,ENTRY...] where ENTRY is as above or
 *        a dash
 */
public class CRLPeer {
    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        for (String line; (line = in.readLine()) != null; ) {
            String answer;
            try {
                String[] f = line.split(" ");
                answer = "ok " + (f[0].equals("make") ? make(f) : read(f));
            } catch (Exception e) {
                answer = "no " + e.toString().replaceAll("\\s+", " ");
            }
            out.println(answer);
        }
    }

    static String make(String[] f) throws Exception {
        Family family = new Family(f[1]);
        X500Name issuer = new X509CertificateHolder(Family.decode(f[3])).getSubject();
        X509v2CRLBuilder b = new X509v2CRLBuilder(issuer, new Date(Long.parseLong(f[5])));
        b.setNextUpdate(new Date(Long.parseLong(f[6])));
        b.addExtension(Extension.cRLNumber, false, new CRLNumber(new BigInteger(f[4], 16)));
        for (String entry : f[7].split(",")) {
            String[] e = entry.split(":");
            BigInteger serial = new BigInteger(e[0], 16);
            Date at = new Date(Long.parseLong(e[1]));
            int reason = Integer.parseInt(e[2]);
            long invalid = Long.parseLong(e[3]);
            if (reason < 0) {
                b.addCRLEntry(serial, at, (org.bouncycastle.asn1.x509.Extensions) null);
            } else if (invalid == 0) {
                b.addCRLEntry(serial, at, reason);
            } else {
                b.addCRLEntry(serial, at, reason, new Date(invalid));
            }
        }
        return Family.encode(b.build(family.signer(new BigInteger(f[2], 16))).getEncoded());
    }

    static String read(String[] f) throws Exception {
        Family family = new Family(f[1]);
        X509CertificateHolder issuer = new X509CertificateHolder(Family.decode(f[2]));
        X509CRLHolder list = new X509CRLHolder(Family.decode(f[3]));
        boolean signed = list.getIssuer().equals(issuer.getSubject()) && list.isSignatureValid(family.verifier(issuer));
        StringBuilder out = new StringBuilder();
        out.append(signed).append(' ')
            .append(CRLNumber.getInstance(list.getExtension(Extension.cRLNumber).getParsedValue()).getCRLNumber().toString(16))
            .append(' ').append(list.getRevokedCertificates().size()).append(' ');
        String comma = "";
        for (String s : f[4].split(",")) {
            X509CRLEntryHolder e = list.getRevokedCertificate(new BigInteger(s, 16));
            out.append(comma).append(e == null ? "-" : text(e));
            comma = ",";
        }
        return out.toString();
    }

    static String text(X509CRLEntryHolder e) throws Exception {
        Extension reason = e.getExtension(Extension.reasonCode), invalid = e.getExtension(Extension.invalidityDate);
        return e.getSerialNumber().toString(16) + ":" + e.getRevocationDate().getTime() + ":"
            + (reason == null ? -1 : CRLReason.getInstance(reason.getParsedValue()).getValue().intValue()) + ":"
            + (invalid == null ? 0 : org.bouncycastle.asn1.ASN1GeneralizedTime.getInstance(invalid.getParsedValue()).getDate().getTime());
    }
}
