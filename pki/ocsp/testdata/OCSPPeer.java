import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.Date;

import org.bouncycastle.asn1.ASN1OctetString;
import org.bouncycastle.asn1.DEROctetString;
import org.bouncycastle.asn1.ocsp.OCSPObjectIdentifiers;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.Extensions;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.ocsp.BasicOCSPResp;
import org.bouncycastle.cert.ocsp.BasicOCSPRespBuilder;
import org.bouncycastle.cert.ocsp.CertificateID;
import org.bouncycastle.cert.ocsp.CertificateStatus;
import org.bouncycastle.cert.ocsp.OCSPReq;
import org.bouncycastle.cert.ocsp.OCSPReqBuilder;
import org.bouncycastle.cert.ocsp.OCSPResp;
import org.bouncycastle.cert.ocsp.OCSPRespBuilder;
import org.bouncycastle.cert.ocsp.Req;
import org.bouncycastle.cert.ocsp.RespID;
import org.bouncycastle.cert.ocsp.RevokedStatus;
import org.bouncycastle.cert.ocsp.SingleResp;
import org.bouncycastle.cert.ocsp.UnknownStatus;
import org.bouncycastle.operator.DigestCalculator;

/**
 * Speaks OCSP with BouncyCastle's classes in the O'z DSt and O'z MSt families.
 * One question a line, one answer a line; octets are base64 (a dot for none),
 * times are milliseconds since 1970.
 *
 *   request FAMILY DIGEST ISSUER NONCE CERT[,CERT...]   -> ok REQUEST
 *   respond FAMILY D RESPONDER key|name NOW REQUEST STATUS[,STATUS...]
 *           STATUS is good, unknown or revoked:TIME:REASON (-1: none)
 *                                                       -> ok RESPONSE
 *   read FAMILY RESPONDER ISSUER CERT RESPONSE          -> ok CODE SIGNED NONCE STATUS THIS NEXT
 *   parse REQUEST                                       -> ok NONCE SERIAL[,SERIAL...]
 */
public class OCSPPeer {
    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        for (String line; (line = in.readLine()) != null; ) {
            String answer;
            try {
                answer = "ok " + answer(line.split(" "));
            } catch (Exception e) {
                answer = "no " + e.toString().replaceAll("\\s+", " ");
            }
            out.println(answer);
        }
    }

    static String answer(String[] f) throws Exception {
        switch (f[0]) {
            case "request": return request(f);
            case "respond": return respond(f);
            case "read": return read(f);
            case "parse": return parse(f);
            default: throw new IllegalArgumentException(f[0]);
        }
    }

    static DigestCalculator digest(Family family, String oid) throws Exception {
        return family.digests().get(oid.equals("family") ? family.digest : Family.algorithm(oid));
    }

    static String request(String[] f) throws Exception {
        Family family = new Family(f[1]);
        X509CertificateHolder issuer = new X509CertificateHolder(Family.decode(f[3]));
        OCSPReqBuilder b = new OCSPReqBuilder();
        for (String c : f[5].split(",")) {
            b.addRequest(new CertificateID(digest(family, f[2]), issuer, new X509CertificateHolder(Family.decode(c)).getSerialNumber()));
        }
        b.setRequestExtensions(new Extensions(new Extension(OCSPObjectIdentifiers.id_pkix_ocsp_nonce, false,
            new DEROctetString(new DEROctetString(Family.decode(f[4])).getEncoded()))));
        return Family.encode(b.build().getEncoded());
    }

    static String respond(String[] f) throws Exception {
        Family family = new Family(f[1]);
        X509CertificateHolder responder = new X509CertificateHolder(Family.decode(f[3]));
        RespID id = f[4].equals("name") ? new RespID(responder.getSubject())
            : new RespID(responder.getSubjectPublicKeyInfo(), digest(family, "1.3.14.3.2.26"));
        OCSPReq req = new OCSPReq(Family.decode(f[6]));
        BasicOCSPRespBuilder b = new BasicOCSPRespBuilder(id);
        Date now = new Date(Long.parseLong(f[5])), next = new Date(now.getTime() + 60000);
        String[] statuses = f[7].split(",");
        Req[] asked = req.getRequestList();
        for (int i = 0; i < asked.length; i++) {
            b.addResponse(asked[i].getCertID(), status(statuses[i]), now, next, null);
        }
        Extension nonce = req.getExtension(OCSPObjectIdentifiers.id_pkix_ocsp_nonce);
        if (nonce != null) {
            b.setResponseExtensions(new Extensions(nonce));
        }
        BasicOCSPResp basic = b.build(family.signer(new BigInteger(f[2], 16)), new X509CertificateHolder[] {responder}, now);
        return Family.encode(new OCSPRespBuilder().build(OCSPRespBuilder.SUCCESSFUL, basic).getEncoded());
    }

    static CertificateStatus status(String s) {
        if (s.equals("good")) {
            return CertificateStatus.GOOD;
        }
        if (s.equals("unknown")) {
            return new UnknownStatus();
        }
        String[] p = s.split(":");
        Date at = new Date(Long.parseLong(p[1]));
        return p[2].equals("-1")
            ? new RevokedStatus(new org.bouncycastle.asn1.ocsp.RevokedInfo(new org.bouncycastle.asn1.ASN1GeneralizedTime(at), null))
            : new RevokedStatus(at, Integer.parseInt(p[2]));
    }

    static String nonceOf(Extension e) throws Exception {
        return e == null ? "-" : Family.encode(ASN1OctetString.getInstance(e.getParsedValue()).getOctets());
    }

    static String read(String[] f) throws Exception {
        Family family = new Family(f[1]);
        X509CertificateHolder responder = new X509CertificateHolder(Family.decode(f[2])), issuer = new X509CertificateHolder(Family.decode(f[3]));
        X509CertificateHolder cert = new X509CertificateHolder(Family.decode(f[4]));
        OCSPResp resp = new OCSPResp(Family.decode(f[5]));
        if (resp.getStatus() != OCSPResp.SUCCESSFUL) {
            return String.valueOf(resp.getStatus());
        }
        BasicOCSPResp basic = (BasicOCSPResp) resp.getResponseObject();
        RespID byName = new RespID(responder.getSubject());
        RespID byKey = new RespID(responder.getSubjectPublicKeyInfo(), digest(family, "1.3.14.3.2.26"));
        boolean signed = (basic.getResponderId().equals(byName) || basic.getResponderId().equals(byKey))
            && basic.isSignatureValid(family.verifier(responder));
        StringBuilder out = new StringBuilder("0 " + signed + " " + nonceOf(basic.getExtension(OCSPObjectIdentifiers.id_pkix_ocsp_nonce)));
        for (SingleResp s : basic.getResponses()) {
            if (!s.getCertID().getSerialNumber().equals(cert.getSerialNumber()) || !s.getCertID().matchesIssuer(issuer, family.digests())) {
                continue;
            }
            CertificateStatus status = s.getCertStatus();
            out.append(" ");
            if (status == CertificateStatus.GOOD) {
                out.append("good");
            } else if (status instanceof UnknownStatus) {
                out.append("unknown");
            } else {
                RevokedStatus r = (RevokedStatus) status;
                out.append("revoked:" + r.getRevocationTime().getTime() + ":" + (r.hasRevocationReason() ? r.getRevocationReason() : -1));
            }
            out.append(" " + s.getThisUpdate().getTime() + " " + s.getNextUpdate().getTime());
        }
        return out.toString();
    }

    static String parse(String[] f) throws Exception {
        OCSPReq req = new OCSPReq(Family.decode(f[1]));
        StringBuilder serials = new StringBuilder();
        for (Req r : req.getRequestList()) {
            serials.append(serials.length() == 0 ? "" : ",").append(r.getCertID().getSerialNumber().toString(16));
        }
        return nonceOf(req.getExtension(OCSPObjectIdentifiers.id_pkix_ocsp_nonce)) + " " + serials;
    }
}
